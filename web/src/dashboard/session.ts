/** Who is looking: a token from the demo, from Supabase Auth, or pasted by hand. It lives in this tab and nowhere else. */

import { keptByTab } from "../kept";

/** What the gateway says of itself to its pages. */
export type PageSettings = Readonly<{
  /** The demo's token; null everywhere else. */
  token: string | null;
  /** Where one signs in; null when that is not set up. */
  supabase: Readonly<{ url: string; publishableKey: string }> | null;
}>;

export interface Session {
  /** The way in: `given` needs none, `password` is Supabase's, `paste` takes a token as it is. */
  readonly way: "given" | "password" | "paste";
  /** The token to ask with, renewed if need be; null when nobody is signed in. */
  token(): Promise<string | null>;
  /** Another one, after the gateway has refused that; null where there is none to be had. */
  renew(): Promise<string | null>;
  signIn(email: string, secret: string): Promise<void>;
  signOut(): Promise<void>;
}

export async function startSession(): Promise<Session> {
  const answer = await fetch("/page.json");
  if (!answer.ok) throw new Error(`the gateway does not say how to sign in (${answer.status})`);
  const settings = (await answer.json()) as PageSettings;
  if (settings.token) return givenSession(settings.token);
  return settings.supabase ? supabaseSession(settings.supabase) : pastedSession();
}

function givenSession(token: string): Session {
  return {
    way: "given",
    token: async () => token,
    renew: async () => null,
    signIn: async () => {},
    signOut: async () => {},
  };
}

const PASTED = "token";

function pastedSession(): Session {
  return {
    way: "paste",
    token: async () => keptByTab.getItem(PASTED),
    renew: async () => null,
    signIn: async (_, token) => keptByTab.setItem(PASTED, token.trim().replace(/^Bearer\s+/i, "")),
    signOut: async () => keptByTab.removeItem(PASTED),
  };
}

/** Its library is fetched only here: no other way in needs it. */
async function supabaseSession(project: NonNullable<PageSettings["supabase"]>): Promise<Session> {
  const { AuthClient: Client } = await import("@supabase/auth-js");
  const client = new Client({
    url: `${project.url.replace(/\/$/, "")}/auth/v1`,
    headers: { apikey: project.publishableKey },
    storage: keptByTab,
    storageKey: "session",
    autoRefreshToken: true,
    persistSession: true,
    detectSessionInUrl: true,
  });
  return {
    way: "password",
    async token() {
      const { data } = await client.getSession();
      return data.session?.access_token ?? null;
    },
    async renew() {
      const { data } = await client.refreshSession();
      return data.session?.access_token ?? null;
    },
    async signIn(email, password) {
      const { error } = await client.signInWithPassword({ email, password });
      if (error) throw error;
    },
    async signOut() {
      await client.signOut({ scope: "local" });
    },
  };
}
