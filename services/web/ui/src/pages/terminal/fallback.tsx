import { AlertsPanel, QueuesPanel, RolesPanel } from "../dashboard/system";
import { Tiles } from "../dashboard/tiles";

/// What can be shown of the system where there is no terminal.
export const Fallback = () => (
  <div class="grid">
    <Tiles />
    <div class="column span-6">
      <RolesPanel />
    </div>
    <div class="column span-6">
      <QueuesPanel />
      <AlertsPanel />
    </div>
  </div>
);
