import type { JobDetail, JsonObject } from "../../api/types";
import { isTerminal } from "../../look/sign";
import { JsonBlock } from "../../parts/json";
import { Empty, Panel } from "../../parts/panel";

const isEmpty = (object: JsonObject | undefined) => object === undefined || Object.keys(object).length === 0;

/// What went in, and what came out.
export const Documents = ({ job }: { job: JobDetail }) => (
  <>
    <Panel title="Payload" class="span-6">
      <JsonBlock value={job.payload} what="the payload" />
      {!isEmpty(job.options) && (
        <>
          <h3>Options</h3>
          <JsonBlock value={job.options} what="the options" />
        </>
      )}
      {!isEmpty(job.metadata) && (
        <>
          <h3>Metadata</h3>
          <JsonBlock value={job.metadata} what="the metadata" />
        </>
      )}
    </Panel>
    <Panel title="Result" class="span-6">
      {job.result !== undefined ? (
        <JsonBlock value={job.result} what="the result" />
      ) : (
        <Empty>{isTerminal(job.status) ? "It ended without a result." : "It has not ended yet."}</Empty>
      )}
    </Panel>
  </>
);
