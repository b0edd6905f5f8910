/// Asks for a ticket, which opens a session of the terminal once.

import { type ApiError, asApiError, ask } from "../api/http";
import { isToken } from "./keys";

export type TicketAnswer =
  | { is: "given"; ticket: string }
  /// The web role asks for its token; `wrong` where one was shown.
  | { is: "token"; wrong: boolean }
  /// There is no terminal, and trying again will not change that.
  | { is: "none"; reason: string }
  /// Not now: too many attempts, a role that does not answer.
  | { is: "later"; reason: string };

/// Never throws. What cannot be a token is not shown, and counts as a wrong one where one is asked for.
export async function ticket(token: string | null): Promise<TicketAnswer> {
  try {
    const headers = token === null || !isToken(token) ? {} : { authorization: `Bearer ${token}` };
    const answer = await ask<{ ticket?: unknown }>("/terminal/ticket", { method: "POST", headers });
    if (typeof answer.ticket === "string") return { is: "given", ticket: answer.ticket };
    return { is: "none", reason: "what answers here knows no terminal" };
  } catch (error) {
    return judged(asApiError(error), token !== null);
  }
}

function judged(error: ApiError, shown: boolean): TicketAnswer {
  if (error.status === 401) return { is: "token", wrong: shown };
  if (error.status === 404 && error.problem.code !== "not_configured")
    return { is: "none", reason: "what answers at this address has no terminal" };
  if (error.status >= 400 && error.status < 500 && error.status !== 408 && error.status !== 429)
    return { is: "none", reason: error.message };
  if (error.kind === "garbled") return { is: "none", reason: "what answers here knows no terminal" };
  return { is: "later", reason: error.message };
}
