/** What the numbers are narrowed to: the period, a range of days, a client, a campaign. */

import { useEffect, useState } from "preact/hooks";
import type { DashboardQuery } from "../generated";
import { PERIODS, type View } from "./view";

type FiltersProps = {
  view: View;
  choices: DashboardQuery["choices"];
  onChange: (changed: Partial<View>) => void;
};

export function Filters({ view, choices, onChange }: FiltersProps) {
  const [isPicking, setPicking] = useState(view.period === "CUSTOM");
  useEffect(() => setPicking(view.period === "CUSTOM"), [view.period]);

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
      {isPicking && <RangeOfDays view={view} onChange={onChange} />}
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

/** Asked for as soon as both ends are there and in order. */
function RangeOfDays({ view, onChange }: Pick<FiltersProps, "view" | "onChange">) {
  const [start, setStart] = useState(view.startDate ?? "");
  const [end, setEnd] = useState(view.endDate ?? "");
  const isBackwards = start !== "" && end !== "" && start > end;
  const choose = (startDate: string, endDate: string): void => {
    setStart(startDate);
    setEnd(endDate);
    if (startDate && endDate && startDate <= endDate) onChange({ period: "CUSTOM", startDate, endDate });
  };
  return (
    <fieldset class="range">
      <legend class="unseen">Range of days (UTC)</legend>
      <label>
        <span>From</span>
        <input type="date" value={start} onChange={(event) => choose(event.currentTarget.value, end)} />
      </label>
      <label>
        <span>to</span>
        <input
          type="date"
          value={end}
          aria-invalid={isBackwards}
          onChange={(event) => choose(start, event.currentTarget.value)}
        />
      </label>
      {isBackwards && <span role="alert">The range ends before it begins.</span>}
    </fieldset>
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
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
