/** What is looked at: kept in the address bar, so that a view can be shared, and turned into the document's variables. */

import type { DashboardQueryVariables, HeatmapMetric, Period } from "../generated";

export type View = Readonly<{
  period: Period;
  /** First and last UTC day; set with `CUSTOM` only. */
  startDate: string | null;
  endDate: string | null;
  clientId: string | null;
  campaignId: string | null;
  heatmapMetric: HeatmapMetric;
  /** Page of the list of batches, from 0. */
  batchesPage: number;
}>;

export const BATCHES_ON_A_PAGE = 10;

export const PERIODS: readonly { value: Period; spelled: string; words: string }[] = [
  { value: "TODAY", spelled: "today", words: "Today" },
  { value: "LAST_7_DAYS", spelled: "7d", words: "7 days" },
  { value: "LAST_30_DAYS", spelled: "30d", words: "30 days" },
  { value: "LAST_90_DAYS", spelled: "90d", words: "90 days" },
  { value: "CUSTOM", spelled: "custom", words: "Custom" },
];

const METRICS: readonly { value: HeatmapMetric; spelled: string }[] = [
  { value: "CALLS", spelled: "calls" },
  { value: "CONNECTED", spelled: "connected" },
  { value: "MEETINGS_BOOKED", spelled: "meetings_booked" },
];

export const FIRST_VIEW: View = {
  period: "LAST_30_DAYS",
  startDate: null,
  endDate: null,
  clientId: null,
  campaignId: null,
  heatmapMetric: "CALLS",
  batchesPage: 0,
};

const DAY = /^\d{4}-\d{2}-\d{2}$/;
/** More pages than anybody turns; far fewer than the API can count. */
const MOST_PAGES = 100_000;
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The view that an address shows. What it does not know, or cannot read, is as in the first view. */
export function readView(search: string): View {
  const given = new URLSearchParams(search);
  const matching = (name: string, pattern: RegExp) => {
    const value = given.get(name);
    return value && pattern.test(value) ? value : null;
  };
  const start = dayOf(given.get("start_date"));
  const end = dayOf(given.get("end_date"));
  const period = PERIODS.find(({ spelled }) => spelled === given.get("period"))?.value ?? FIRST_VIEW.period;
  const isRange = period === "CUSTOM" && start !== null && end !== null && start <= end;
  return {
    period: period === "CUSTOM" && !isRange ? FIRST_VIEW.period : period,
    startDate: isRange ? start : null,
    endDate: isRange ? end : null,
    clientId: matching("client_id", ID),
    campaignId: matching("campaign_id", ID),
    heatmapMetric: METRICS.find(({ spelled }) => spelled === given.get("metric"))?.value ?? FIRST_VIEW.heatmapMetric,
    batchesPage: Math.min(Math.max(0, (Number.parseInt(given.get("page") ?? "1", 10) || 1) - 1), MOST_PAGES),
  };
}

/** A day of the calendar; 31 February is none. */
function dayOf(text: string | null): string | null {
  return text && DAY.test(text) && new Date(`${text}T00:00:00Z`).toJSON()?.startsWith(text) ? text : null;
}

/** Of a view, whose calls are counted: all but which part of a list, or which side of a panel, is looked at. */
export const choiceOf = (view: View): View => ({
  ...view,
  heatmapMetric: FIRST_VIEW.heatmapMetric,
  batchesPage: FIRST_VIEW.batchesPage,
});

/** The query string of a view, with nothing in it that is as in the first view; spelled as the legacy endpoints do. */
export function writeView(view: View): string {
  const query = new URLSearchParams();
  if (view.period !== FIRST_VIEW.period) query.set("period", spelled(PERIODS, view.period));
  if (view.startDate) query.set("start_date", view.startDate);
  if (view.endDate) query.set("end_date", view.endDate);
  if (view.clientId) query.set("client_id", view.clientId);
  if (view.campaignId) query.set("campaign_id", view.campaignId);
  if (view.heatmapMetric !== FIRST_VIEW.heatmapMetric) query.set("metric", spelled(METRICS, view.heatmapMetric));
  if (view.batchesPage > 0) query.set("page", String(view.batchesPage + 1));
  const text = query.toString();
  return text ? `?${text}` : "";
}

function spelled<T>(names: readonly { value: T; spelled: string }[], value: T): string {
  return names.find((name) => name.value === value)?.spelled ?? "";
}

/** The heatmap knows three ranges; any other view shows it over thirty days, and its panel says so. */
export function variablesOf(view: View): DashboardQueryVariables {
  const { clientId, campaignId } = view;
  const filters = { period: view.period, startDate: view.startDate, endDate: view.endDate, clientId, campaignId };
  const heatmapPeriod = view.period === "TODAY" || view.period === "CUSTOM" ? "LAST_30_DAYS" : view.period;
  return {
    filters,
    campaignsFilters: filters,
    heatmapFilters: { period: heatmapPeriod, clientId, campaignId },
    heatmapMetric: view.heatmapMetric,
    batchesOffset: view.batchesPage * BATCHES_ON_A_PAGE,
    surroundings: true,
  };
}
