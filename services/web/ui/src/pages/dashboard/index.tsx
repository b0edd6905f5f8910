import { Charts } from "./charts";
import { Jobs } from "./jobs";
import { Live } from "./live";
import { AlertsPanel, QueuesPanel, RolesPanel } from "./system";
import { Tiles } from "./tiles";

export const Dashboard = ({ filter }: { filter: string }) => (
  <div class="grid">
    <h1 class="unseen">Dashboard</h1>
    <Tiles />
    <Charts />
    <Jobs filter={filter} />
    <div class="span-4 column">
      <AlertsPanel />
      <QueuesPanel />
      <RolesPanel />
      <Live />
    </div>
  </div>
);
