import process from "node:process";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

// The tests' viewer, wherever they run; each of them is a process that begins with these.
if (process.env.VITEST) Object.assign(process.env, { TZ: "Asia/Kathmandu", LC_ALL: "en_GB.UTF-8" });

// The gateway serves what lies here: two pages, and under /assets/ files whose names change with their content.
export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: fileURLToPath(new URL("../gateway/web", import.meta.url)),
    emptyOutDir: true,
    target: "es2022",
    chunkSizeWarningLimit: 4000,
    rolldownOptions: { input: ["dashboard.html", "explorer.html"] },
  },
  worker: { format: "es" },
  server: {
    // The schema lies above.
    fs: { allow: [".."] },
    proxy: { "/graphql": "http://127.0.0.1:8000", "/page.json": "http://127.0.0.1:8000" },
  },
});
