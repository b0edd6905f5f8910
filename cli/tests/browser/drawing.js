// The page as it is drawn now, as an SVG: boxes, lines, pictures and every line of text where it stands. Widths of texts are kept, whatever fonts
// the reader has.
const [title] = arguments;
const escaped = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const round = (number) => Math.round(number * 10) / 10;
const drawn = [];
const clips = [];
const pen = document.createElement("canvas").getContext("2d");

/** Measures in the font of an element. Its shorthand may be empty. */
const measured = (text, style) => {
    pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    return pen.measureText(text);
};

const isSeen = (colour) => !/^(transparent|rgba\(.*, 0\))$/.test(colour);

/** A value that SVG takes: rgba is no colour there in every viewer. */
const paint = (name, colour) => {
    const [, r, g, b, alpha] = /^rgba?\((\d+), (\d+), (\d+)(?:, ([\d.]+))?\)$/.exec(colour) ?? [];
    if (r === undefined) return `${name}="${colour}"`;
    const hex = [r, g, b].map((part) => Number(part).toString(16).padStart(2, "0")).join("");
    return `${name}="#${hex}"${alpha === undefined ? "" : ` ${name}-opacity="${alpha}"`}`;
};

const box = ({ left, top, width, height }, style) => {
    const radius = Math.min(Number.parseFloat(style.borderTopLeftRadius) || 0, width / 2, height / 2);
    const sides = ["Top", "Right", "Bottom", "Left"].map((side) => ({
        width: style[`border${side}Style`] === "none" ? 0 : Number.parseFloat(style[`border${side}Width`]),
        colour: style[`border${side}Color`],
    }));
    const framed = sides.every((side) => side.width > 0 && side.width === sides[0].width && isSeen(side.colour));
    const inset = framed ? sides[0].width / 2 : 0;
    if (isSeen(style.backgroundColor) || framed) {
        const at = `x="${round(left + inset)}" y="${round(top + inset)}" width="${round(width - 2 * inset)}" height="${round(height - 2 * inset)}"`;
        const fill = isSeen(style.backgroundColor) ? paint("fill", style.backgroundColor) : 'fill="none"';
        const stroke = framed ? ` ${paint("stroke", sides[0].colour)} stroke-width="${sides[0].width}"` : "";
        drawn.push(`<rect ${at} rx="${round(radius)}" ${fill}${stroke}/>`);
    }
    if (framed) return;
    const ends = [
        [left, top, left + width, top],
        [left + width, top, left + width, top + height],
        [left, top + height, left + width, top + height],
        [left, top, left, top + height],
    ];
    sides.forEach((side, index) => {
        if (!(side.width > 0) || !isSeen(side.colour)) return;
        const [x1, y1, x2, y2] = ends[index].map(round);
        drawn.push(`<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" ${paint("stroke", side.colour)} stroke-width="${side.width}"/>`);
    });
};

const line = (text, { left, top, width, height }, style) => {
    const shown = style.textTransform === "uppercase" ? text.toUpperCase() : text;
    if (!shown.trim() || width < 1) return;
    const { fontBoundingBoxAscent: up, fontBoundingBoxDescent: down } = measured(shown, style);
    const weight = Number(style.fontWeight) >= 600 ? ' font-weight="bold"' : "";
    const family = /mono/i.test(style.fontFamily) ? ' class="m"' : "";
    const at = `x="${round(left)}" y="${round(top + (height - up - down) / 2 + up)}" textLength="${round(width)}"`;
    drawn.push(`<text ${at} font-size="${round(Number.parseFloat(style.fontSize))}"${weight}${family} ${paint("fill", style.color)}>${escaped(shown.trim())}</text>`);
};

/** Each line of a text by itself: where a line ends, only the place of its characters tells. */
const texts = (node, style) => {
    const range = document.createRange();
    let from = 0;
    let last;
    const flush = (to) => {
        const all = node.data.slice(from, to);
        const lead = all.length - all.trimStart().length;
        range.setStart(node, from + lead);
        range.setEnd(node, from + lead + all.trim().length);
        if (all.trim()) line(all, range.getBoundingClientRect(), style);
        from = to;
    };
    for (let index = 0; index < node.length; index += 1) {
        range.setStart(node, index);
        range.setEnd(node, index + 1);
        const [place] = range.getClientRects();
        if (!place || place.width === 0) continue;
        if (last !== undefined && place.top > last + 2) flush(index);
        last = place.top;
    }
    flush(node.length);
};

const vector = (element, { left, top, width, height }) => {
    const copy = element.cloneNode(true);
    const [from, to] = [element, copy].map((each) => [each, ...each.querySelectorAll("*")]);
    from.forEach((each, index) => {
        const style = getComputedStyle(each);
        for (const name of ["class", "style", "id"]) to[index].removeAttribute(name);
        for (const name of ["fill", "stroke", "stroke-width", "opacity", "stroke-linecap", "stroke-linejoin", "stroke-dasharray"])
            to[index].setAttribute(name, style.getPropertyValue(name));
    });
    for (const [name, value] of Object.entries({ x: left, y: top, width, height })) copy.setAttribute(name, round(value));
    drawn.push(new XMLSerializer().serializeToString(copy).replace(' xmlns="http://www.w3.org/2000/svg"', ""));
};

/** What a field says that holds no text for others to see. */
const field = (element) => {
    if (element instanceof HTMLSelectElement) return element.selectedOptions[0]?.text;
    return element.matches("textarea, input:not([type=checkbox], [type=radio])") ? element.value || element.placeholder : undefined;
};

const draw = (element) => {
    if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) return;
    const style = getComputedStyle(element);
    const place = element.getBoundingClientRect();
    if (place.width < 2 && style.overflow !== "visible") return;
    if (place.top > innerHeight) return;
    if (element instanceof SVGSVGElement) return vector(element, place);
    if (style.display !== "contents") box(place, style);
    if (element instanceof HTMLCanvasElement && element.width > 0) {
        drawn.push(`<image x="${round(place.left)}" y="${round(place.top)}" width="${round(place.width)}" height="${round(place.height)}" href="${element.toDataURL()}"/>`);
        return;
    }
    const clipped = style.overflowX !== "visible" && (element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1);
    if (clipped) {
        clips.push(`<clipPath id="c${clips.length}"><rect x="${round(place.left)}" y="${round(place.top)}" width="${round(place.width)}" height="${round(place.height)}"/></clipPath>`);
        drawn.push(`<g clip-path="url(#c${clips.length - 1})">`);
    }
    const written = field(element);
    if (written) {
        const left = place.left + Number.parseFloat(style.paddingLeft) + Number.parseFloat(style.borderLeftWidth);
        const look = element.value ? style : getComputedStyle(element, "::placeholder");
        line(written, { left, top: place.top, width: measured(written, style).width, height: place.height }, look);
    } else {
        for (const child of element.childNodes) {
            if (child instanceof Text) texts(child, style);
            else if (child instanceof Element) draw(child);
        }
    }
    if (clipped) drawn.push("</g>");
};

draw(document.body);
const ground = getComputedStyle(document.documentElement).backgroundColor;
const under = isSeen(ground) ? ground : getComputedStyle(document.body).backgroundColor;
return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${innerWidth} ${innerHeight}" role="img" aria-label="${escaped(title)}">`,
    `<title>${escaped(title)}</title>`,
    "<style>text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans',sans-serif;white-space:pre}.m{font-family:ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace}</style>",
    `<defs>${clips.join("")}</defs>`,
    `<rect width="100%" height="100%" ${paint("fill", under)}/>`,
    ...drawn,
    "</svg>",
    "",
].join("\n");
