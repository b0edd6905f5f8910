/// What xterm.js uses in place of its own `<style>` elements, which the policy of the page forbids (strict-styles.ts puts this name
/// there). Styles that a script hands over as an object are no text in the markup, and are permitted.

class Sheet extends HTMLElement {
  readonly #sheet = new CSSStyleSheet();

  override get textContent(): string {
    return "";
  }
  override set textContent(styles: string | null) {
    this.#sheet.replaceSync(styles ?? "");
  }

  connectedCallback(): void {
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, this.#sheet];
  }

  disconnectedCallback(): void {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => sheet !== this.#sheet);
  }
}

if (!customElements.get("odd-sheet")) customElements.define("odd-sheet", Sheet);
