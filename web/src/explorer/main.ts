import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import { createElement } from "react";
import { createRoot } from "react-dom/client";

const page = document.getElementById("page");
if (page) createRoot(page).render(createElement(GraphiQL, { fetcher: createGraphiQLFetcher({ url: "/graphql" }) }));
