import type { HealthState, JobStatus, Outcome } from "../api/types";
import { ofHealth, ofOutcome, ofStatus, type Sign } from "../look/sign";

/// A glyph in its colour; what it means stands beside it in words.
export const Mark = ({ sign }: { sign: Sign }) => (
  <span class={`mark is-${sign.tone}`} aria-hidden="true">
    {sign.glyph}
  </span>
);

export function Status({ status }: { status: JobStatus }) {
  const sign = ofStatus(status);
  return (
    <span class={`state is-${sign.tone}`}>
      <span aria-hidden="true">{sign.glyph} </span>
      {status}
    </span>
  );
}

export function OutcomeOf({ outcome }: { outcome: Outcome | undefined }) {
  const sign = outcome ? ofOutcome(outcome) : { glyph: "●", tone: "working" };
  return (
    <span class={`state is-${sign.tone}`}>
      <span aria-hidden="true">{sign.glyph} </span>
      {outcome?.replace("_", " ") ?? "at work"}
    </span>
  );
}

export function Health({ state }: { state: HealthState }) {
  const sign = ofHealth(state);
  return (
    <>
      <Mark sign={sign} />
      <span class="unseen">{state}: </span>
    </>
  );
}
