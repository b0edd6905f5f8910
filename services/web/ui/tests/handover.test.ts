// @vitest-environment jsdom

import { beforeEach, describe, expect, it } from "vitest";
import { handed, keys, takeToken } from "../src/terminal/handover";

beforeEach(() => {
  keys.token = null;
  handed.value = 0;
});

function opened(fragment: string): void {
  history.replaceState(null, "", fragment);
  takeToken();
}

describe("a token that is handed over", () => {
  it("is kept without what was copied with it, and told", () => {
    opened("#/terminal?token=%20a-token-of-the-test%0A");
    expect([keys.token, handed.value, location.hash]).toEqual(["a-token-of-the-test", 1, "#/terminal"]);
  });

  it("is taken out of the address and forgotten where it can be none", () => {
    keys.token = "the-token-that-there-is";
    for (const none of ["", "short", "a-tok%C3%A9n-of-the-test", "two%20words%20of%20the%20test"]) {
      opened(`#token=${none}`);
      expect([keys.token, handed.value, location.hash]).toEqual(["the-token-that-there-is", 0, "#/"]);
    }
  });
});
