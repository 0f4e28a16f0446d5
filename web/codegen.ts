import type { CodegenConfig } from "@graphql-codegen/cli";

// Not in git: made from schema.graphql and the page's document, by every check.
const config: CodegenConfig = {
  schema: "../schema.graphql",
  documents: "src/**/*.graphql",
  generates: {
    "src/generated.ts": {
      plugins: ["typescript-operations"],
      config: {
        scalars: { UUID: "string", Date: "string", DateTime: "string", BigInt: "number" },
        enumsAsTypes: true,
        skipTypename: true,
      },
    },
  },
};

export default config;
