/** The way in, for who has no token: Supabase's e-mail and password, or a token as it is. */

import { useState } from "preact/hooks";
import type { Session } from "./session";

export function SignIn({ session, why, onDone }: { session: Session; why: string; onDone: () => void }) {
  const [email, setEmail] = useState("");
  const [secret, setSecret] = useState("");
  const [wrong, setWrong] = useState("");
  const [isBusy, setBusy] = useState(false);
  const asksForPassword = session.way === "password";

  const signIn = async (): Promise<void> => {
    setBusy(true);
    setWrong("");
    try {
      await session.signIn(email, secret);
      onDone();
    } catch (error) {
      setWrong(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };

  return (
    <main class="signin">
      <form
        class="panel"
        onSubmit={(event) => {
          event.preventDefault();
          void signIn();
        }}
      >
        <h1>Calls</h1>
        <p>{why}</p>
        {asksForPassword && (
          <label>
            E-mail
            <input
              type="email"
              autocomplete="username"
              required
              value={email}
              onInput={(event) => setEmail(event.currentTarget.value)}
            />
          </label>
        )}
        <label>
          {asksForPassword ? "Password" : "Token"}
          <input
            type="password"
            autocomplete={asksForPassword ? "current-password" : "off"}
            required
            value={secret}
            onInput={(event) => setSecret(event.currentTarget.value)}
          />
        </label>
        {!asksForPassword && (
          <p class="remark">
            An access token of your platform’s users, as its own pages send it. It stays in this tab. With SUPABASE_URL
            and SUPABASE_PUBLISHABLE_KEY set, one signs in here with e-mail and password instead.
          </p>
        )}
        {wrong && <p role="alert">{wrong}</p>}
        <button type="submit" disabled={isBusy}>
          {isBusy ? "Signing in …" : "Sign in"}
        </button>
      </form>
    </main>
  );
}
