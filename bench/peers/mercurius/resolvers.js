// The seven reports, a statement a section, in the types of our own schema.graphql.
import { read, rows } from './database.js'

const DAYS = { TODAY: 1, LAST_7_DAYS: 7, LAST_30_DAYS: 30, LAST_90_DAYS: 90 }
const LABELS = { TODAY: 'today', LAST_7_DAYS: '7d', LAST_30_DAYS: '30d', LAST_90_DAYS: '90d', CUSTOM: 'custom' }
const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const COUNTERS = { CALLS: 'totalCalls', CONNECTED: 'connectedCalls', MEETINGS_BOOKED: 'meetingsBooked' }
const METRICS = new Map(read('metrics').split('\n').flatMap((sql) => {
  const name = sql.match(/ as "(\w+)"$/)?.[1]
  return name ? [[name, { name, sql }]] : []
}))

function day (daysAgo) {
  return new Date(Date.now() - daysAgo * 86_400_000).toISOString().slice(0, 10)
}

function range ({ period, startDate, endDate }) {
  return period === 'CUSTOM' ? { startDate, endDate } : { startDate: day(DAYS[period] - 1), endDate: day(0) }
}

// A client's user has their own client beside the one asked for, so that another's finds nothing.
function narrowed ({ campaignId, clientId }, viewer) {
  return [['campaign_id', campaignId], ['client_id', viewer.client], ['client_id', clientId]]
}

/** The rows of a statement over a range of days, which all but that of the batches are. */
function ranged (name, { filters }, { viewer }, { more = [], metrics = [] } = {}) {
  const { startDate, endDate } = range(filters)
  return rows(name, [viewer.agency, startDate, endDate, ...more], narrowed(filters, viewer), metrics)
}

function metricsOf (info) {
  const wanted = new Set()
  collect(info.fieldNodes)
  return [...METRICS.values()].filter((metric) => wanted.has(metric.name))

  function collect (nodes) {
    for (const node of nodes) {
      if (node.kind === 'FragmentSpread') collect([info.fragments[node.name.value]])
      else if (node.selectionSet) collect(node.selectionSet.selections)
      else wanted.add(node.name.value)
    }
  }
}

export const resolvers = {
  Query: {
    async overview (_, args, context) {
      const [row] = await ranged('overview', args, context)
      const period = { ...range(args.filters), label: LABELS[args.filters.period] }
      return { period, summary: row, dispositionBreakdown: row, quality: row, toolUsage: row }
    },
    async timeseries (_, args, context, info) {
      const data = await ranged('timeseries', args, context, { metrics: metricsOf(info) })
      return { period: range(args.filters), data, columns: data }
    },
    async funnel (_, args, context) {
      const [row] = await ranged('funnel', args, context)
      return { period: range(args.filters), funnel: row, rates: row }
    },
    async campaigns (_, args, context) {
      const { filters, status, limit, offset } = args
      const [batches, campaignStats] = await Promise.all([
        rows('batches', [context.viewer.agency, limit, offset],
          [...narrowed(filters, context.viewer), ['status', status?.toLowerCase()]]),
        ranged('campaign_stats', args, context)
      ])
      const activeBatches = batches.filter((batch) => batch.id !== null)
      const total = batches[0].total
      return {
        activeBatches,
        campaignStats,
        pagination: { total, limit, offset, hasMore: offset + activeBatches.length < total }
      }
    },
    async quality (_, args, context) {
      const [sums, ...trend] = await ranged('quality', args, context)
      return { period: range(args.filters), quality: { ...sums, sentimentDistribution: sums }, trend }
    },
    async heatmap (_, args, context) {
      const counter = COUNTERS[args.metric]
      const heatmap = await ranged('heatmap', args, context)
      const bestTimes = heatmap.filter((slot) => slot[counter] > 0).sort((a, b) => b[counter] - a[counter]).slice(0, 5)
      return {
        period: range(args.filters),
        metric: args.metric,
        heatmap,
        bestTimes: bestTimes.map((slot) => ({
          day: slot.day,
          hour: slot.hour,
          metricValue: slot[counter],
          label: `${WEEKDAYS[slot.day]} ${String(slot.hour).padStart(2, '0')}:00`
        }))
      }
    },
    async objections (_, args, context) {
      const [sums, ...found] = await ranged('objections', args, context, { more: [args.limit] })
      return {
        period: range(args.filters),
        summary: {
          callsAnalyzed: sums.analyzed,
          totalObjections: sums.count,
          totalObjectionsHandled: sums.handled,
          objectionHandlingRate: sums.handlingRate,
          totalBuyingSignals: sums.signals
        },
        objections: found.filter((row) => row.kind === 'objection').map((row) => ({ ...row, objection: row.text })),
        buyingSignals: found.filter((row) => row.kind === 'signal').map((row) => ({ ...row, signal: row.text }))
      }
    }
  },
  TimeseriesColumns: Object.fromEntries(
    ['date', ...METRICS.keys()].map((name) => [name, (data) => data.map((row) => row[name])])
  )
}
