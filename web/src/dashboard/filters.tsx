/** What the numbers are narrowed to: the period, a range of days, a client, a campaign. */

import { useLayoutEffect, useState } from "preact/hooks";
import type { DashboardQuery } from "../generated";
import { named } from "./direction";
import { RangeOfDays } from "./range_of_days";
import { PERIODS, type View } from "./view";

type FiltersProps = {
  view: View;
  choices: DashboardQuery["choices"];
  /** What the gateway finds wrong with them. */
  refused: string | null;
  /** A change that continues the last one is no step of its own. */
  onChange: (changed: Partial<View>, isSameStep?: boolean) => void;
};

export function Filters({ view, choices, refused, onChange }: FiltersProps) {
  const [isPicking, setPicking] = useState(view.period === "CUSTOM");
  // At once, or it might be after something was picked already.
  useLayoutEffect(() => setPicking(view.period === "CUSTOM"), [view.period]);

  const campaigns = (choices?.campaigns ?? []).filter(({ clientId }) => !view.clientId || clientId === view.clientId);
  return (
    <form class="filters" aria-label="Filters" onSubmit={(event) => event.preventDefault()}>
      <fieldset class="segments">
        <legend class="unseen">Period</legend>
        {PERIODS.map(({ value, words }) => (
          <label key={value}>
            <input
              type="radio"
              name="period"
              checked={isPicking ? value === "CUSTOM" : value === view.period}
              onChange={() => {
                setPicking(value === "CUSTOM");
                if (value !== "CUSTOM") onChange({ period: value, startDate: null, endDate: null });
              }}
            />
            <span>{words}</span>
          </label>
        ))}
      </fieldset>
      {isPicking && <RangeOfDays view={view} refused={view.period === "CUSTOM" ? refused : null} onChange={onChange} />}
      <Choice
        label="Client"
        all="All clients"
        value={view.clientId}
        options={choices?.clients ?? []}
        onChange={(clientId) => onChange({ clientId, campaignId: null })}
      />
      <Choice
        label="Campaign"
        all="All campaigns"
        value={view.campaignId}
        options={campaigns}
        onChange={(campaignId) => onChange({ campaignId })}
      />
    </form>
  );
}

type ChoiceProps = {
  label: string;
  all: string;
  value: string | null;
  options: readonly { id: string; name: string }[];
  onChange: (id: string | null) => void;
};

function Choice({ label, all, value, options, onChange }: ChoiceProps) {
  const isKnown = value === null || options.some(({ id }) => id === value);
  return (
    <label class="choice">
      <span class="unseen">{label}</span>
      <select value={value ?? ""} onChange={(event) => onChange(event.currentTarget.value || null)}>
        <option value="">{all}</option>
        {!isKnown && <option value={value ?? ""}>{`Another ${label.toLowerCase()}`}</option>}
        {options.map(({ id, name }) => (
          <option key={id} value={id}>
            {named(name)}
          </option>
        ))}
      </select>
    </label>
  );
}
