/** Says, to who does not see it, that the numbers have become those of another choice: once, and of no refresh. */

import { useEffect, useRef, useState } from "preact/hooks";
import { named } from "./direction";
import { asRange, counted } from "./format";
import type { Screen } from "./screen";
import { choiceOf, type View, writeView } from "./view";

export function Announced({ screen: { answer, view: shown }, view }: { screen: Screen; view: View }) {
  const [words, setWords] = useState("");
  const last = useRef<string | null>(null);
  useEffect(() => {
    if (!answer || shown !== view) return;
    const chosen = writeView(choiceOf(view));
    // The first choice is the page itself, which is read anyway.
    if (last.current !== null && last.current !== chosen) setWords(sentenceOf(answer.data, view));
    last.current = chosen;
  }, [answer, shown, view]);
  return (
    <p class="unseen" aria-live="polite" aria-atomic="true">
      {words}
    </p>
  );
}

function sentenceOf({ overview, choices }: NonNullable<Screen["answer"]>["data"], view: View): string {
  if (!overview) return "The numbers have changed.";
  const names = [
    choices?.clients.find(({ id }) => id === view.clientId)?.name,
    choices?.campaigns.find(({ id }) => id === view.campaignId)?.name,
  ];
  const { period, summary } = overview;
  const of = [asRange(period.startDate, period.endDate), ...names.flatMap((name) => (name ? [named(name)] : []))];
  return `${of.join(", ")}: ${counted(summary.totalCalls, "call")}.`;
}
