import { defineConfig } from "vitest/config";
import { strictStyles } from "./strict-styles";

/// Where a web role runs that requests are passed on to, while the page comes from here.
const role = process.env.ODD_WEB_URL ?? "http://127.0.0.1:8081";
const proxy = Object.fromEntries(
  ["/api", "/gateway", "/interfaces", "/terminal", "/ws"].map((path) => [path, { target: role, ws: path === "/ws" }]),
);

/// The policy of the web role, so that `npm run preview` shows the page as it will be served.
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
  "require-trusted-types-for 'script'; trusted-types 'none'";

export default defineConfig({
  base: "/",
  plugins: [strictStyles()],
  // Else it would be bundled beforehand, without the above.
  optimizeDeps: { exclude: ["@xterm/xterm"] },
  esbuild: { jsx: "automatic", jsxImportSource: "preact", legalComments: "none" },
  build: {
    target: "es2022",
    // From where the web role takes it.
    outDir: "../dist/site",
    emptyOutDir: true,
    assetsDir: "assets",
    // A data: address would need a wider policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: { proxy, host: "127.0.0.1", fs: { allow: ["../../.."] } },
  preview: { proxy, host: "127.0.0.1", headers: { "Content-Security-Policy": policy } },
  test: { include: ["tests/**/*.test.{ts,tsx}"], restoreMocks: true },
});
