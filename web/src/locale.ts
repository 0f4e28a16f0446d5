/** Whose way of writing numbers and times: that of the first of the viewer's languages that the browser can write. */

// The numbers stand in English sentences, and a day is the same day for everybody who looks at it.
const OURS = { calendar: "gregory", numberingSystem: "latn" };
const ENGLISH = "en-u-ca-gregory-nu-latn";

/** The first of these that is a language's tag and known, with the page's calendar and digits; English where none is.
 *
 * A browser on Linux may hand on what its environment has and no formatter takes: `C`, `en-US@posix`, `de_DE.UTF-8`.
 */
export function findLocale(languages: Iterable<unknown>): string {
  for (const language of languages) {
    const tag = String(language ?? "").replace(/[.@].*$/, "");
    try {
      const { language: name, script, region, hourCycle } = new Intl.Locale(tag.replaceAll("_", "-"));
      const known = [name, script, region].filter(Boolean).join("-");
      if (Intl.DateTimeFormat.supportedLocalesOf(known).length > 0)
        return new Intl.Locale(known, { ...OURS, ...(hourCycle && { hourCycle }) }).toString();
    } catch {
      // It is no language's tag.
    }
  }
  return ENGLISH;
}

const viewer = globalThis.navigator;
export const LOCALE = findLocale([...(viewer?.languages ?? []), viewer?.language]);
