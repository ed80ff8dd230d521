// Signing in at the shop's user pool: the code flow with PKCE. Tokens stay in this tab.
import { UserManager, WebStorageStateStore } from "oidc-client-ts";

let manager = null;
let user = null;

const here = () => location.origin + location.pathname;

// Comes back with true once somebody is signed in, or nobody has to; leaves the page otherwise.
export async function signIn(pool) {
  if (!pool) return true;
  manager = new UserManager({
    authority: pool.issuer,
    metadata: {
      issuer: pool.issuer,
      authorization_endpoint: `${pool.domain}/oauth2/authorize`,
      token_endpoint: `${pool.domain}/oauth2/token`,
    },
    client_id: pool.client_id,
    redirect_uri: here(),
    response_type: "code",
    scope: "openid",
    loadUserInfo: false,
    automaticSilentRenew: true,
    userStore: new WebStorageStateStore({ store: sessionStorage }),
    stateStore: new WebStorageStateStore({ store: sessionStorage }),
  });
  manager.events.addUserLoaded((loaded) => {
    user = loaded;
  });
  const asked = new URLSearchParams(location.search);
  if (asked.has("state") && (asked.has("code") || asked.has("error"))) {
    try {
      user = await manager.signinRedirectCallback();
      history.replaceState(null, "", here() + (user.state?.hash ?? ""));
      return true;
    } catch (error) {
      history.replaceState(null, "", here());
      if (asked.has("error")) throw error;
    }
  }
  user = await manager.getUser();
  if (user && !user.expired) return true;
  await manager.signinRedirect({ state: { hash: location.hash } });
  return false;
}

export async function token() {
  if (!manager) return null;
  if (!user || user.expired) {
    user = user?.refresh_token ? await manager.signinSilent().catch(() => null) : null;
    if (!user) await manager.signinRedirect({ state: { hash: location.hash } });
  }
  return user?.id_token ?? null;
}

export async function signOut(pool) {
  await manager.removeUser();
  const query = new URLSearchParams({ client_id: pool.client_id, logout_uri: here() });
  location.assign(`${pool.domain}/logout?${query}`);
}

export const who = () => user?.profile["cognito:username"] ?? user?.profile.email ?? "";

// What this user may do, to say so before they try; the API is who decides. Null where requests are signed by a role.
export function rights() {
  if (!manager) return null;
  const groups = [user?.profile["cognito:groups"] ?? []].flat();
  const has = (...names) => names.some((name) => groups.includes(`tessera-${name}`));
  return {
    read: has("viewer", "marketer", "operator", "read"),
    publish: has("marketer", "operator", "write"),
    operate: has("operator"),
    erase: has("operator", "erase"),
  };
}
