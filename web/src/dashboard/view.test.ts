import { describe, expect, it } from "vitest";
import { choiceOf, FIRST_VIEW, PERIODS, readView, type View, variablesOf, writeView } from "./view";

const CLIENT = "7f1f6f0a-93ae-4d0e-8c0c-1f7a3a1de001";
const CAMPAIGN = "7f1f6f0a-93ae-4d0e-8c0c-1f7a3a1de002";

/** Every view that the page's controls can bring about, over a few values of what is unbounded. */
function* views(): Generator<View> {
  const ranges: Pick<View, "period" | "startDate" | "endDate">[] = [
    ...PERIODS.filter(({ value }) => value !== "CUSTOM").map(({ value }) => ({
      period: value,
      startDate: null,
      endDate: null,
    })),
    { period: "CUSTOM", startDate: "2026-11-01", endDate: "2026-11-01" },
    { period: "CUSTOM", startDate: "2025-12-31", endDate: "2026-11-23" },
  ];
  for (const range of ranges)
    for (const clientId of [null, CLIENT])
      for (const campaignId of [null, CAMPAIGN])
        for (const heatmapMetric of ["CALLS", "CONNECTED", "MEETINGS_BOOKED"] as const)
          for (const batchesPage of [0, 1, 41]) yield { ...range, clientId, campaignId, heatmapMetric, batchesPage };
}

describe("an address", () => {
  it("shows whoever it is shared with the same view", () => {
    const written = new Set<string>();
    for (const view of views()) {
      expect(readView(writeView(view))).toEqual(view);
      written.add(writeView(view));
    }
    expect(written.size).toBe(6 * 2 * 2 * 3 * 3);
  });

  it("is empty for the first view, and spelled as the legacy endpoints spell", () => {
    expect(writeView(FIRST_VIEW)).toBe("");
    expect(readView("")).toEqual(FIRST_VIEW);
    const custom = { ...FIRST_VIEW, period: "CUSTOM", startDate: "2026-11-01", endDate: "2026-11-09" } as const;
    expect(writeView({ ...custom, clientId: CLIENT, batchesPage: 2 })).toBe(
      `?period=custom&start_date=2026-11-01&end_date=2026-11-09&client_id=${CLIENT}&page=3`,
    );
  });

  it.each([
    "?period=decade",
    "?period=",
    "?period=LAST_7_DAYS",
    "?client_id=1%20or%201=1",
    `?campaign_id=${CAMPAIGN}0`,
    "?metric=revenue",
    "?page=0",
    "?page=-3",
    "?page=NaN",
    "?unknown=1&utm_source=mail",
    "?start_date=2026-11-01&end_date=2026-11-02",
    "?period=custom",
    "?period=custom&start_date=2026-11-01",
    "?period=custom&start_date=2026-11-09&end_date=2026-11-01",
    "?period=custom&start_date=1.11.2026&end_date=9.11.2026",
    "?period=custom&start_date=2026-02-30&end_date=2026-03-01",
    "?%",
  ])("that says nothing the page can read shows the first view: %s", (search) => {
    expect(readView(search)).toEqual(FIRST_VIEW);
  });
});

it("is another choice where other calls are counted, and not where other parts of a panel are looked at", () => {
  const choices = new Set([...views()].map((view) => writeView(choiceOf(view))));
  expect(choices.size).toBe(6 * 2 * 2);
});

describe("the document's variables", () => {
  it("have the same filters for all daily reports", () => {
    for (const view of views()) {
      const variables = variablesOf(view);
      expect(variables.campaignsFilters).toEqual(variables.filters);
      expect(variables.filters.period).toBe(view.period);
    }
  });

  it("ask the heatmap for thirty days where it does not know the range", () => {
    const asked = PERIODS.map(({ value: period }) => variablesOf({ ...FIRST_VIEW, period }).heatmapFilters.period);
    expect(asked).toEqual(["LAST_30_DAYS", "LAST_7_DAYS", "LAST_30_DAYS", "LAST_90_DAYS", "LAST_30_DAYS"]);
    expect(variablesOf({ ...FIRST_VIEW, clientId: CLIENT }).heatmapFilters.clientId).toBe(CLIENT);
  });

  it("pass over the batches of the pages before", () => {
    expect(variablesOf(FIRST_VIEW).batchesOffset).toBe(0);
    const [second, third] = [1, 2].map((batchesPage) => variablesOf({ ...FIRST_VIEW, batchesPage }).batchesOffset);
    expect(third).toBe(2 * (second ?? 0));
    expect(second).toBeGreaterThan(0);
  });
});
