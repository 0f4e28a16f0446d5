/**
 * Calls every endpoint with every parameter, typed by what openapi-typescript makes of the document, and prints the
 * answers: `call_everything.js ADDRESS TOKEN CAMPAIGN CLIENT`. A parameter that is missing here, or is of another type
 * than here, does not compile.
 */
import createClient from "openapi-fetch";
import type { paths } from "./api";

declare const process: { argv: string[] };

const [address, token, campaign_id, client_id] = process.argv.slice(2) as [string, string, string, string];

type Query<Path extends keyof paths> = Required<NonNullable<paths[Path]["get"]["parameters"]["query"]>>;

const range = { period: "custom", start_date: "2026-02-01", end_date: "2026-02-16" } as const;
const whose = { campaign_id, client_id };
const shared: Query<"/functions/v1/dashboard-overview"> = { ...range, ...whose };
const timeseries: Query<"/functions/v1/dashboard-timeseries"> = { ...shared, metrics: ["sms_sent", "avg_talk_ratio"] };
const campaigns: Query<"/functions/v1/dashboard-campaigns"> = { ...shared, status: "processing", limit: 5, offset: 0 };
const heatmap: Query<"/functions/v1/dashboard-heatmap"> = { ...whose, period: "90d", metric: "connected" };
const objections: Query<"/functions/v1/dashboard-objections"> = { ...shared, limit: 3 };

const lists = {
  repeated: createClient<paths>({ baseUrl: address }),
  separated: createClient<paths>({
    baseUrl: address,
    querySerializer: { array: { style: "form", explode: false } },
  }),
};

for (const [how, client] of Object.entries(lists)) {
  client.use({ onRequest: ({ request }) => request.headers.set("Authorization", `Bearer ${token}`) });
  const header = { "X-Request-Id": `typescript.${how}` };
  const answers = {
    overview: await client.GET("/functions/v1/dashboard-overview", { params: { query: shared, header } }),
    timeseries: await client.GET("/functions/v1/dashboard-timeseries", { params: { query: timeseries, header } }),
    funnel: await client.GET("/functions/v1/dashboard-funnel", { params: { query: shared, header } }),
    campaigns: await client.GET("/functions/v1/dashboard-campaigns", { params: { query: campaigns, header } }),
    quality: await client.GET("/functions/v1/dashboard-quality", { params: { query: shared, header } }),
    heatmap: await client.GET("/functions/v1/dashboard-heatmap", { params: { query: heatmap, header } }),
    objections: await client.GET("/functions/v1/dashboard-objections", { params: { query: objections, header } }),
  };
  // A field that the document does not have would not compile either.
  const total: number | undefined = answers.overview.data?.summary.total_calls;
  const state: "processing" | string | undefined = answers.campaigns.data?.active_batches[0]?.status;
  const best: string | undefined = answers.heatmap.data?.best_times[0]?.label;
  const wrong: string | undefined = answers.objections.error?.error;
  console.log(
    JSON.stringify({
      how,
      picked: { total, state, best, wrong },
      answers: Object.fromEntries(
        Object.entries(answers).map(([report, { response, data }]) => [
          report,
          { status: response.status, id: response.headers.get("X-Request-Id"), data },
        ]),
      ),
    }),
  );
}
