/** Starts the page: theme, session, and then all that is to be seen. */

import { render } from "preact";
import { App } from "./app";
import { Boundary, sentenceOf } from "./boundary";
import { startSession } from "./session";
import "./style/base.css";
import "./style/page.css";
import "./style/controls.css";
import "./style/figures.css";
import "./style/lists.css";
import "./style/forced.css";
import "./style/print.css";
import { applyTheme } from "./theme";

const page = document.getElementById("page");
const stopped = (why: string) => (
  <main class="signin">
    <div class="panel">
      <h1>Calls</h1>
      <p role="alert">{why}</p>
      <button type="button" onClick={() => location.reload()}>
        Try again
      </button>
    </div>
  </main>
);
applyTheme();
if (page) {
  try {
    const session = await startSession();
    render(
      <Boundary otherwise={(why) => stopped(`The page cannot be drawn: ${why}`)}>
        <App session={session} />
      </Boundary>,
      page,
    );
  } catch (error) {
    render(stopped(`The page could not be started: ${sentenceOf(error)}`), page);
  }
}
