// Who asks: the token's user, checked by fast-jwt, and the agency that the database knows for them.
import { createVerifier } from 'fast-jwt'
import { rows } from './database.js'

const REMEMBERED_MS = 5000
const verify = createVerifier({
  key: process.env.SUPABASE_JWT_SECRET,
  algorithms: ['HS256'],
  allowedAud: 'authenticated',
  requiredClaims: ['exp', 'sub'],
  cache: true
})
const viewers = new Map()

/** The viewer of a request; throws an error with a status code where there is none. */
export async function viewerOf (request) {
  const user = userOf(request.headers.authorization ?? '')
  const known = viewers.get(user)
  if (known !== undefined && known.until > Date.now()) return known
  const [row] = await rows('viewer', [user])
  if (row?.agency_id == null || (row.sees_one_client && row.client_id == null)) throw refused(403)
  const viewer = {
    agency: row.agency_id,
    client: row.sees_one_client ? row.client_id : undefined,
    until: Date.now() + REMEMBERED_MS
  }
  viewers.set(user, viewer)
  return viewer
}

function userOf (authorization) {
  try {
    const claims = verify(authorization.slice('Bearer '.length))
    if (claims.role === 'authenticated') return claims.sub
  } catch {}
  throw refused(401)
}

function refused (statusCode) {
  return Object.assign(new Error(statusCode === 401 ? 'unauthenticated' : 'forbidden'), { statusCode })
}
