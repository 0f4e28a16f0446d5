/** Starts the page: theme, session, and then all that is to be seen. */

import { render } from "preact";
import { App } from "./app";
import { startSession } from "./session";
import "./style/base.css";
import "./style/page.css";
import "./style/controls.css";
import "./style/figures.css";
import "./style/lists.css";
import { applyTheme } from "./theme";

const page = document.getElementById("page");
applyTheme();
if (page) {
  try {
    render(<App session={await startSession()} />, page);
  } catch (error) {
    render(
      <main class="signin">
        <div class="panel">
          <h1>Calls</h1>
          <p role="alert">The page could not be started: {error instanceof Error ? error.message : String(error)}.</p>
          <button type="button" onClick={() => location.reload()}>
            Try again
          </button>
        </div>
      </main>,
      page,
    );
  }
}
