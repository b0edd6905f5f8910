/// Checks a document against those keywords of JSON Schema that the job submission uses, in the words of the gateway.

import type { FieldError } from "../api/types";

export interface Schema {
  $ref?: string;
  $defs?: Record<string, Schema>;
  type?: string;
  description?: string;
  required?: string[];
  properties?: Record<string, Schema | boolean>;
  additionalProperties?: boolean;
  dependentSchemas?: Record<string, Schema>;
  enum?: unknown[];
  format?: string;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  default?: unknown;
  "x-rule"?: string;
}

type Fields = Record<string, unknown>;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const DATE_TIME = /^(\d{4})-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;
const NAMES: Record<string, string> = {
  integer: "a whole number",
  number: "a number",
  string: "a text",
  array: "an array",
  object: "an object",
  boolean: "true or false",
};

/// Every place where the document breaks the schema; none where it keeps it. Paths are JSON pointers.
export function validate(root: Schema, document: unknown): FieldError[] {
  const errors: FieldError[] = [];
  check(root, root, document, "", errors);
  return errors;
}

function check(root: Schema, schema: Schema, value: unknown, path: string, errors: FieldError[]): void {
  if (schema.$ref) check(root, resolve(root, schema.$ref), value, path, errors);
  const say = (message: string) => errors.push({ path, message });
  if (schema.type && !hasType(schema.type, value)) {
    say(`must be ${NAMES[schema.type] ?? schema.type}, not ${kindOf(value)}`);
    return;
  }
  if (schema.enum && !schema.enum.includes(value)) say(`must be ${schema.enum.join(", ")}`);
  if (typeof value === "string") checkText(schema, value, say);
  if (typeof value === "number") {
    if (schema.minimum !== undefined && value < schema.minimum) say(`must be at least ${schema.minimum}`);
    if (schema.maximum !== undefined && value > schema.maximum) say(`must be at most ${schema.maximum}`);
  }
  if (isFields(value)) checkFields(root, schema, value, path, errors);
}

function checkText(schema: Schema, text: string, say: (message: string) => void): void {
  const length = [...text].length;
  if (schema.minLength !== undefined && length < schema.minLength) {
    say(schema.minLength === 1 ? "must not be empty" : `must have at least ${schema.minLength} characters`);
  }
  if (schema.maxLength !== undefined && length > schema.maxLength)
    say(`must have at most ${schema.maxLength} characters`);
  if (schema.pattern && !new RegExp(schema.pattern, "u").test(text)) {
    say(`must ${schema["x-rule"] ?? `match the pattern ${schema.pattern}`}`);
  }
  if (schema.format === "uuid" && !UUID.test(text)) say("must be a UUID, such as 0b8f6a52-3c1e-4d7a-9f0e-5a4c2b1d3e6f");
  if (schema.format === "date-time" && !isDateTime(text)) {
    say("must be a date and time with a zone in the years 1970 to 9999, such as 2026-01-31T12:00:00Z");
  }
}

function checkFields(root: Schema, schema: Schema, value: Fields, path: string, errors: FieldError[]): void {
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(value, name)) errors.push({ path: `${path}/${escaped(name)}`, message: "is required" });
  }
  for (const [name, inner] of Object.entries(value)) {
    const place = `${path}/${escaped(name)}`;
    const known = schema.properties && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
    if (known === undefined) {
      if (schema.additionalProperties === false) errors.push({ path: place, message: unknownField(schema) });
    } else if (typeof known === "object") {
      check(root, known, inner, place, errors);
    } else if (!known) {
      errors.push({ path: place, message: "must not be given" });
    }
  }
  for (const [name, dependent] of Object.entries(schema.dependentSchemas ?? {})) {
    if (!Object.hasOwn(value, name)) continue;
    for (const [other, allowed] of Object.entries(dependent.properties ?? {})) {
      if (allowed === false && Object.hasOwn(value, other)) {
        errors.push({ path: `${path}/${escaped(other)}`, message: `must not be given together with ${name}` });
      }
    }
  }
}

const unknownField = (schema: Schema) =>
  `is not a known field; known fields are ${Object.keys(schema.properties ?? {}).join(", ")}`;

function resolve(root: Schema, reference: string): Schema {
  const found = root.$defs?.[reference.replace("#/$defs/", "")];
  if (!found) throw new Error(`the schema refers to ${reference}, which it does not have`);
  return found;
}

function hasType(type: string, value: unknown): boolean {
  if (type === "object") return isFields(value);
  if (type === "array") return Array.isArray(value);
  if (type === "integer") return Number.isInteger(value);
  return typeof value === type;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "boolean") return String(value);
  return NAMES[typeof value] ?? typeof value;
}

function isDateTime(text: string): boolean {
  const year = Number(DATE_TIME.exec(text)?.[1]);
  const at = Date.parse(text);
  return year >= 1970 && year <= 9999 && !Number.isNaN(at) && at >= 0;
}

const escaped = (name: string) => name.replaceAll("~", "~0").replaceAll("/", "~1");
