/// What the page keeps of the terminal, for this tab and as long as it is open: the key that goes on with its session, a name
/// for the session, and the token.

type Kept = "session" | "name" | "token";
type Storage = Pick<globalThis.Storage, "getItem" | "setItem" | "removeItem">;

export class Keys {
  /// What there is where the browser keeps nothing for this page.
  readonly #own = new Map<Kept, string>();

  constructor(readonly storage: () => Storage) {}

  /// Goes on with the session: good once.
  get session(): string | null {
    return this.#read("session");
  }
  set session(key: string | null) {
    this.#write("session", key);
  }

  /// Says among the tabs of this browser which session is meant: tabs that were doubled have the same.
  get name(): string | null {
    return this.#read("name");
  }
  set name(name: string | null) {
    this.#write("name", name);
  }

  /// What the web role asks for.
  get token(): string | null {
    return this.#read("token");
  }
  set token(token: string | null) {
    this.#write("token", token);
  }

  #read(which: Kept): string | null {
    try {
      return this.storage().getItem(`odd.terminal.${which}`) ?? this.#own.get(which) ?? null;
    } catch {
      return this.#own.get(which) ?? null;
    }
  }

  #write(which: Kept, value: string | null): void {
    if (value === null) this.#own.delete(which);
    else this.#own.set(which, value);
    try {
      if (value === null) this.storage().removeItem(`odd.terminal.${which}`);
      else this.storage().setItem(`odd.terminal.${which}`, value);
    } catch {
      // It holds until the page is left.
    }
  }
}

/// Whether a text can be a token: 16 to 256 visible ASCII characters. Others cannot even be shown to the server.
export const isToken = (text: string) => /^[\x21-\x7e]{16,256}$/.test(text);

/// A fragment without the token that it hands over, and the token; null where there is none in it.
///
/// `#token=…` stands alone, or `token` among the parameters of a page: `#/terminal?token=…`.
export function handedOver(fragment: string): { token: string; rest: string } | null {
  const [path = "", query = ""] = fragment.replace(/^#/, "").split(/\?(.*)/s, 2);
  const alone = query === "" && path.startsWith("token=");
  const parameters = new URLSearchParams(alone ? path : query);
  const token = parameters.get("token");
  if (token === null) return null;
  parameters.delete("token");
  const left = parameters.toString();
  const place = alone ? "/" : path;
  return { token, rest: `#${place}${left ? `?${left}` : ""}` };
}
