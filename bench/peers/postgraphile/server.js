// PostGraphile 5 over the schema of sql/, served by grafserv on Node's own HTTP server on PORT.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createVerifier } from 'fast-jwt'
import { context } from 'grafast'
import { grafserv } from 'grafserv/node'
import pg from 'pg'
import { postgraphile } from 'postgraphile'
import { makePgService } from 'postgraphile/adaptors/pg'
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber'
import { extendSchema, gql } from 'postgraphile/utils'

const connectionString = process.env.DATABASE_URL
const SECTIONS = ['viewer', 'overview', 'timeseries', 'funnel', 'campaigns', 'quality', 'heatmap', 'objections']

const verify = createVerifier({
  key: process.env.SUPABASE_JWT_SECRET,
  algorithms: ['HS256'],
  allowedAud: 'authenticated',
  requiredClaims: ['exp', 'sub'],
  cache: true
})

function userOf (authorization) {
  try {
    const claims = verify(authorization.slice('Bearer '.length))
    if (claims.role === 'authenticated') return claims.sub
  } catch {}
  throw Object.assign(new Error('unauthenticated'), { statusCode: 401 })
}

// The token's user is the root of every section: the dashboard is planned into one prepared statement that names the
// user as a value. With pgSettings, the other way, each request would be a transaction of four statements.
const ViewerPlugin = extendSchema((build) => ({
  typeDefs: gql`extend type Query { viewer: Viewer }`,
  objects: {
    Query: {
      plans: {
        viewer: () => build.pgResources.viewer.get({ id: context().get('userId') })
      }
    }
  }
}))

const preset = {
  extends: [PostGraphileAmberPreset],
  plugins: [ViewerPlugin],
  disablePlugins: ['NodePlugin'],
  pgServices: [
    makePgService({
      pool: new pg.Pool({
        connectionString,
        max: 8,
        idleTimeoutMillis: 0,
        options: '-c timezone=UTC -c jit=off -c default_transaction_read_only=on'
      }),
      schemas: ['peer'],
      pubsub: false
    })
  ],
  schema: { defaultBehavior: '-connection +list -filter -orderBy -condition' },
  gather: { installWatchFixtures: false },
  grafast: {
    explain: false,
    context: (request) => ({ userId: userOf(request.node.req.headers.authorization ?? '') })
  },
  grafserv: { graphiql: false, websockets: false, watch: false, outputDataAsString: true }
}

const owner = new pg.Client({ connectionString })
await owner.connect()
// Several statements in one query are one transaction.
await owner.query(SECTIONS.map((name) => readFileSync(new URL(`sql/${name}.sql`, import.meta.url), 'utf8')).join('\n'))
await owner.end()

const server = createServer()
await postgraphile(preset).createServ(grafserv).addTo(server)
server.listen(Number(process.env.PORT), '127.0.0.1')
