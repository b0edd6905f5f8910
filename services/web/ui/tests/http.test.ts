import { afterEach, describe, expect, it, vi } from "vitest";
import * as api from "../src/api/client";
import { ApiError, ask } from "../src/api/http";

const answer = (body: string, status = 200) =>
  vi.fn(async (_path: string, _made?: RequestInit) => new Response(body, { status }));

async function failure(promise: Promise<unknown>): Promise<ApiError> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ApiError) return error;
  throw new Error(`not an ApiError: ${String(error)}`);
}

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe("requests", () => {
  it("carry only parameters that have a value", async () => {
    const fetched = answer('{"jobs":[]}');
    vi.stubGlobal("fetch", fetched);
    await api.jobs({ statuses: ["FAILED", "RETRYING"], id: "a&b=c" }, { limit: 25 });
    expect(fetched.mock.calls[0]?.[0]).toBe("/api/jobs?status=FAILED%2CRETRYING&id=a%26b%3Dc&limit=25");
  });

  it("keep an id within its segment", async () => {
    const fetched = answer("{}");
    vi.stubGlobal("fetch", fetched);
    await api.cancel("../x");
    expect(fetched.mock.calls[0]?.[0]).toBe("/gateway/jobs/..%2Fx/cancel");
    expect(fetched.mock.calls[0]?.[1]).toMatchObject({ method: "POST", body: "{}" });
  });

  it("tell what a problem document says", async () => {
    const problem = {
      code: "validation_failed",
      detail: "1 place breaks the contract",
      errors: [{ path: "/type", message: "is required" }],
    };
    vi.stubGlobal("fetch", answer(JSON.stringify(problem), 400));
    const error = await failure(api.submit({}));
    expect(error).toMatchObject({ kind: "refused", status: 400, message: "1 place breaks the contract" });
    expect(error.errors).toEqual([{ path: "/type", message: "is required" }]);
  });

  it("do not take just anything for an answer", async () => {
    vi.stubGlobal("fetch", answer("<html>", 200));
    expect((await failure(ask("/x"))).kind).toBe("garbled");
    vi.stubGlobal("fetch", answer("<html>", 502));
    expect(await failure(ask("/x"))).toMatchObject({ kind: "refused", status: 502, message: "status 502" });
    vi.stubGlobal("fetch", answer("[]", 500));
    expect((await failure(ask("/x"))).problem).toEqual({});
  });

  it("say that nobody is there", async () => {
    vi.stubGlobal("fetch", async () => {
      throw new TypeError("Failed to fetch");
    });
    expect(await failure(ask("/x"))).toMatchObject({ kind: "away", message: "no connection" });
  });

  it("end when their time is over", async () => {
    vi.useFakeTimers();
    vi.stubGlobal("fetch", (_path: string, { signal }: RequestInit) => {
      return new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(new Error("aborted"))));
    });
    const failed = failure(ask("/x", { timeout: 500 }));
    await vi.advanceTimersByTimeAsync(500);
    expect(await failed).toMatchObject({ kind: "late", message: "no answer in time" });
  });
});
