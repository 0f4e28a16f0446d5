/** Light or dark: as the system says, until the viewer says otherwise. */

import { useEffect, useState } from "preact/hooks";

type Theme = "light" | "dark";
const KEPT = "theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const chosen = (): Theme | null => localStorage.getItem(KEPT) as Theme | null;
const listeners = new Set<() => void>();

export const currentTheme = (): Theme => chosen() ?? (dark.matches ? "dark" : "light");

/** Puts it on the page, for the style sheet; call before anything is drawn. */
export function applyTheme(): void {
  document.documentElement.dataset.theme = currentTheme();
  for (const changed of listeners) changed();
}
dark.addEventListener("change", applyTheme);

/** The theme at hand; draws anew when it changes, for what takes its colours from the style sheet itself. */
export function useTheme(): Theme {
  const [theme, setTheme] = useState(currentTheme);
  useEffect(() => {
    const changed = (): void => setTheme(currentTheme());
    listeners.add(changed);
    return () => {
      listeners.delete(changed);
    };
  }, []);
  return theme;
}

export function ThemeSwitch() {
  const theme = useTheme();
  const other = theme === "dark" ? "light" : "dark";
  return (
    <button
      type="button"
      class="quiet"
      aria-label={`Use the ${other} theme`}
      onClick={() => {
        localStorage.setItem(KEPT, other);
        applyTheme();
      }}
    >
      {theme === "dark" ? "☀" : "☾"}
    </button>
  );
}
