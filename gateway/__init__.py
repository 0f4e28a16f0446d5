"""The running program: joins the other rooms into a server and a command line."""
