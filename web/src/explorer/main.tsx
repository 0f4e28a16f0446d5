/** @jsxImportSource react */
/** GraphiQL over this gateway's own schema, with examples, and a field for the token. */

import { HISTORY_PLUGIN } from "@graphiql/plugin-history";
import type { Fetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { buildSchema } from "graphql";
import { useState } from "react";
import { createRoot } from "react-dom/client";
import "graphiql/style.css";
import sdl from "../../../schema.graphql?raw";
import { keptByBrowser } from "../kept";
import { EXAMPLES, EXAMPLES_PLUGIN } from "./examples";
import "./style.css";
import { aboutToken, cleaned, firstToken, keepToken } from "./token";
import "./workers";

// As it was built with the page: shown to who has no token yet, and where the gateway answers no introspection.
const schema = buildSchema(sdl);
const plugins = [EXAMPLES_PLUGIN, HISTORY_PLUGIN];
// GraphiQL remembers its tabs, and gives what is initial another one.
const firstVisit = keptByBrowser.getItem("graphiql:tabState") === null;
const [first] = EXAMPLES;
const firstTab = firstVisit && first ? { initialQuery: first.query, initialVariables: first.variables } : {};
const isWide = matchMedia("(min-width: 60rem)").matches;
let token = await firstToken();

const fetcher: Fetcher = async (asked) => {
  const { isUsable, words } = aboutToken(token, new Date());
  if (!isUsable) return { errors: [{ message: `Not asked. ${words}` }] };
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { Accept: "application/json", Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify(asked),
  });
  return response.json();
};

function TokenField() {
  const [shown, setShown] = useState(token);
  const { isUsable, words } = aboutToken(shown, new Date());
  const change = (pasted: string): void => {
    token = cleaned(pasted);
    keepToken(token);
    setShown(token);
  };
  return (
    <form className="token" autoComplete="off" onSubmit={(event) => event.preventDefault()}>
      <label htmlFor="token">Token</label>
      <input
        id="token"
        type="password"
        autoComplete="off"
        spellCheck={false}
        placeholder="Paste an access token"
        value={shown}
        aria-describedby="about-token"
        aria-invalid={!isUsable}
        onChange={(event) => change(event.target.value)}
      />
      <output id="about-token" className={isUsable ? "" : "wrong"}>
        {words}
      </output>
    </form>
  );
}

function Explorer() {
  return (
    <>
      <header>
        <h1>
          Calls <span>GraphQL explorer</span>
        </h1>
        <TokenField />
      </header>
      {/* No editor for headers: its history would keep a token typed there for good. */}
      <main>
        <GraphiQL
          fetcher={fetcher}
          schema={schema}
          plugins={plugins}
          {...(isWide ? { visiblePlugin: EXAMPLES_PLUGIN } : {})}
          {...firstTab}
          defaultQuery={first?.query ?? ""}
          defaultEditorToolsVisibility="variables"
          isHeadersEditorEnabled={false}
          shouldPersistHeaders={false}
        >
          <GraphiQL.Logo>{null}</GraphiQL.Logo>
        </GraphiQL>
      </main>
    </>
  );
}

const page = document.getElementById("page");
if (page) createRoot(page).render(<Explorer />);
