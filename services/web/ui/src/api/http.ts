/// Requests with a limit of time, and errors that say what failed.

import type { FieldError, Problem } from "./types";

/// Longest wait for an answer to a question.
export const READ_MS = 8_000;
/// Longest wait where something is to be changed: the gateway itself waits for the spine.
export const WRITE_MS = 20_000;

export type FailureKind = "away" | "late" | "refused" | "garbled";

/// Why there is no answer.
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    /// `away`: nothing answers. `late`: not in time. `refused`: a problem document. `garbled`: neither.
    readonly kind: FailureKind,
    message: string,
    readonly status = 0,
    readonly problem: Problem = {},
  ) {
    super(message);
  }

  /// What is wrong with each field.
  get errors(): FieldError[] {
    return this.problem.errors ?? [];
  }

  get isNotFound(): boolean {
    return this.status === 404;
  }

  /// What to try.
  get next(): string {
    if (this.kind === "away")
      return "Was the instance stopped? odd up starts it again, and this page goes on by itself.";
    if (this.status >= 500 || this.kind === "late")
      return "odd status tells which role is missing; this page asks again by itself.";
    if (this.status === 429) return "The system is busy. Ask again in a moment.";
    return "";
  }
}

interface Asked {
  method?: "GET" | "POST";
  body?: unknown;
  headers?: Record<string, string>;
  timeout?: number;
  signal?: AbortSignal;
}

/// Asks for a JSON document. Throws an [`ApiError`], or the reason of `signal` where that ended it.
export async function ask<T>(path: string, asked: Asked = {}): Promise<T> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort("late"), asked.timeout ?? READ_MS);
  const stop = () => limit.abort("stopped");
  asked.signal?.addEventListener("abort", stop, { once: true });
  try {
    const response = await fetch(path, request(asked, limit.signal));
    return await read<T>(response);
  } catch (error) {
    if (error instanceof ApiError) throw error;
    if (limit.signal.aborted && limit.signal.reason === "late") throw new ApiError("late", "no answer in time");
    if (asked.signal?.aborted) throw error;
    throw new ApiError("away", "no connection");
  } finally {
    clearTimeout(timer);
    asked.signal?.removeEventListener("abort", stop);
  }
}

function request(asked: Asked, signal: AbortSignal): RequestInit {
  const made: RequestInit = { method: asked.method ?? "GET", cache: "no-store", signal };
  if (asked.headers) made.headers = asked.headers;
  if (asked.body !== undefined) {
    made.headers = { ...asked.headers, "content-type": "application/json" };
    made.body = JSON.stringify(asked.body);
  }
  return made;
}

async function read<T>(response: Response): Promise<T> {
  const text = await response.text();
  const body = parsed(text);
  if (response.ok && body !== undefined) return body as T;
  if (response.ok) throw new ApiError("garbled", "the answer is no JSON", response.status);
  const problem = isProblem(body) ? body : {};
  const said = problem.detail ?? problem.title ?? `status ${response.status}`;
  throw new ApiError("refused", said, response.status, problem);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && !Array.isArray(body);
}

/// What is thrown, as an error of ours.
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError("garbled", error instanceof Error ? error.message : String(error));
}
