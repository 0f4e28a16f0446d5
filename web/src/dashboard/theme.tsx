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
      class="quiet icon"
      aria-label={`Use the ${other} theme`}
      title={`Use the ${other} theme`}
      onClick={() => {
        localStorage.setItem(KEPT, other);
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
