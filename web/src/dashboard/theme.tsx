/** Light or dark: as the system says, until the viewer says otherwise. On paper light, and with the system's own colours as it says. */

import { useEffect, useState } from "preact/hooks";
import { keptByBrowser } from "../kept";

type Theme = "light" | "dark";
const KEPT = "theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
/** The system's own few colours, instead of the page's. */
const forced = matchMedia("(forced-colors: active)");
const paper = matchMedia("print");
let isPrinting = false;
const listeners = new Set<() => void>();

export function currentTheme(): Theme {
  const systems = dark.matches ? "dark" : "light";
  if (isOnPaper()) return "light";
  const chosen = keptByBrowser.getItem(KEPT);
  return !forced.matches && (chosen === "light" || chosen === "dark") ? chosen : systems;
}

/** Whether the page is laid out for paper, or is about to be. */
export const isOnPaper = (): boolean => isPrinting || paper.matches;

/** Puts it on the page, for the style sheet; call before anything is drawn. */
export function applyTheme(): void {
  document.documentElement.dataset.theme = currentTheme();
  for (const changed of listeners) changed();
}

for (const media of [dark, forced, paper]) media.addEventListener("change", applyTheme);
for (const [event, begins] of [
  ["beforeprint", true],
  ["afterprint", false],
] as const)
  addEventListener(event, () => {
    isPrinting = begins;
    applyTheme();
  });

/** Calls back whenever colours or the paper may have changed, at once: printing waits for nothing. Gives what ends it. */
export function onColours(changed: () => void): () => void {
  listeners.add(changed);
  return () => {
    listeners.delete(changed);
  };
}

export function ThemeSwitch() {
  const [theme, setTheme] = useState(currentTheme);
  useEffect(() => onColours(() => setTheme(currentTheme())), []);
  const other = theme === "dark" ? "light" : "dark";
  return (
    <button
      type="button"
      class="quiet icon theme"
      aria-label={`Use the ${other} theme`}
      title={`Use the ${other} theme`}
      onClick={() => {
        keptByBrowser.setItem(KEPT, other);
        applyTheme();
      }}
    >
      <svg viewBox="0 0 24 24" aria-hidden="true">
        {theme === "dark" ? (
          <path d="M12 8a4 4 0 1 0 0 8a4 4 0 1 0 0-8M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M19 5l-1.4 1.4M6.4 17.6L5 19" />
        ) : (
          <path d="M20 14.5A8.5 8.5 0 0 1 9.5 4A8.5 8.5 0 1 0 20 14.5" />
        )}
      </svg>
    </button>
  );
}
