/** @jsxImportSource react */
/** The example documents, one a report, as a pane of GraphiQL's side bar. */

import { type GraphiQLPlugin, useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import variablesByName from "./examples/variables.json";

type Example = { name: string; operation: string; says: string; query: string; variables: string };

const documents = import.meta.glob<string>("./examples/*.graphql", { query: "?raw", import: "default", eager: true });

/** In the order of their variables. What one says of itself is its first line, a comment. */
export const EXAMPLES: readonly Example[] = Object.entries(variablesByName).map(([name, variables]) => {
  const query = documents[`./examples/${name}.graphql`] ?? "";
  return {
    name,
    operation: /^query (\w+)/m.exec(query)?.[1] ?? "",
    says: query.slice(1, query.indexOf("\n")).trim(),
    query,
    variables: JSON.stringify(variables, null, 2),
  };
});

function Examples() {
  const { addTab, changeTab, setOperationName } = useGraphiQLActions();
  const { tabs, activeTabIndex, queryEditor, variableEditor } = useGraphiQL((state) => ({
    tabs: state.tabs,
    activeTabIndex: state.activeTabIndex,
    queryEditor: state.queryEditor,
    variableEditor: state.variableEditor,
  }));
  // One that was opened before and not been changed is shown again, as it was left.
  const open = ({ operation, query, variables }: Example): void => {
    const at = tabs.findIndex((tab) => tab.query === query);
    if (at >= 0) {
      if (at !== activeTabIndex) changeTab(at);
      return;
    }
    if (queryEditor?.getValue().trim()) addTab();
    queryEditor?.setValue(query);
    variableEditor?.setValue(variables);
    // GraphiQL finds it by itself, but only after a while, in which one may ask already.
    setOperationName(operation);
  };
  return (
    <section className="examples" aria-label="Examples">
      <h2>Examples</h2>
      <p>Each opens in a tab, with its variables. Ctrl-Enter asks, Ctrl-Space completes.</p>
      <ul>
        {EXAMPLES.map((example) => (
          <li key={example.name}>
            <button type="button" onClick={() => open(example)}>
              <strong>{example.name}</strong>
              <span>{example.says}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Icon() {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
      <path d="M4 6h2M4 12h2M4 18h2M10 6h10M10 12h10M10 18h7" strokeLinecap="round" />
    </svg>
  );
}

export const EXAMPLES_PLUGIN: GraphiQLPlugin = { title: "Examples", icon: Icon, content: Examples };
