// First: the token is not to stay in the address while anything else is done.
import "./terminal/handover";
import "./style/index.css";
import { render } from "preact";
import { App } from "./app";
import { followAddress } from "./state/route";
import { start } from "./state/store";
import { followSystem } from "./state/theme";

const place = document.getElementById("app");
if (place) {
  followAddress();
  followSystem();
  start();
  place.replaceChildren();
  render(<App />, place);
}
