import type { Plugin } from "vite";

/// xterm.js writes `<style>` elements and `style` attributes, which would need `style-src 'unsafe-inline'`. Both are replaced by
/// what the policy permits: an element of ours that hands the styles over as an object (src/terminal/sheet.ts), and properties.
/// A version that does it otherwise, or keeps it in another file, fails the build.
export function strictStyles(): Plugin {
  let isBuild = false;
  let isFound = false;
  return {
    name: "strict-styles",
    configResolved({ command }) {
      isBuild = command === "build";
    },
    buildStart() {
      isFound = false;
    },
    transform(code, id) {
      if (!/@xterm\/xterm\/lib\/xterm\.mjs(\?.*)?$/.test(id)) return null;
      isFound = true;
      const replaced = [
        { what: /createElement\("style"\)/g, by: 'createElement("odd-sheet")', times: 3 },
        {
          what: /(\w+)\.setAttribute\("style",`\$\{\1\.getAttribute\("style"\)\|\|""\}\$\{(\w+)\};`\)/g,
          by: "$1.style.cssText+=$2",
          times: 1,
        },
      ].reduce((text, { what, by, times }) => {
        const found = text.match(what)?.length ?? 0;
        if (found !== times) this.error(`${what} is ${found} times in ${id}, not ${times} times`);
        return text.replace(what, by);
      }, code);
      if (/createElement\(.style.\)|setAttribute\(.style./.test(replaced)) this.error(`${id} writes styles otherwise`);
      return { code: replaced, map: null };
    },
    buildEnd(error) {
      // What failed already says so itself. While developing, files come as they are asked for.
      if (!error && isBuild && !isFound) this.error("xterm.js is not where it was: its styles would break the policy");
    },
  };
}
