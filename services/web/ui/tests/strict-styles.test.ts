import { build, type Plugin } from "vite";
import { describe, expect, it } from "vitest";
import { strictStyles } from "../strict-styles";

/// As much of xterm.js as the build looks at.
const STYLES = `${'document.createElement("style");'.repeat(3)}a.setAttribute("style",\`\${a.getAttribute("style")||""}\${b};\`)`;

/// Builds a page of one file at this place, and returns what became of it.
async function built(id: string, code: string): Promise<string> {
  const file: Plugin = {
    name: "file",
    resolveId: (asked) => (asked === id ? id : null),
    load: (asked) => (asked === id ? code : null),
  };
  const made = await build({
    configFile: false,
    logLevel: "silent",
    plugins: [file, strictStyles()],
    build: { write: false, minify: false, rollupOptions: { input: id, output: { format: "es" } } },
  });
  if (!("output" in made)) throw new Error("it is one page, built once");
  return made.output[0].code;
}

describe("the styles of xterm.js", () => {
  it("are replaced by what the policy permits", async () => {
    const code = await built("/@xterm/xterm/lib/xterm.mjs", STYLES);
    expect(code).toContain('createElement("odd-sheet")');
    expect(code).toContain("a.style.cssText += b");
    expect(code).not.toContain('"style"');
  });

  it("fail the build where they are others", async () => {
    await expect(built("/@xterm/xterm/lib/xterm.mjs", "a.b()")).rejects.toThrow("0 times");
  });

  it("fail the build where they are in another file", async () => {
    await expect(built("/@xterm/xterm/lib/other.mjs", STYLES)).rejects.toThrow("not where it was");
  });
});
