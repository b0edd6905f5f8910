/// The connection to a session of the terminal: opened, kept, resumed, and given up where that is the right thing.
///
/// Nothing here knows of the page or the browser, which are behind [`World`] and [`Viewer`].

import { HOPELESS, pause, QUICK, UNSEEN } from "./backoff";
import { Input } from "./input";
import type { Keys } from "./keys";
import {
  type ErrorCode,
  hello,
  input,
  ofClose,
  parse,
  ping,
  type Ready,
  resize,
  type Shown,
  type Size,
} from "./protocol";
import type { TicketAnswer } from "./ticket";
import type { Socket, State, Viewer, World } from "./world";

/// Time between two questions whether the server is there.
const PING_MS = 15_000;
/// The same for the first answer after the page was away.
const CHECK_MS = 5_000;
/// Longest time from the opening of a socket to the session.
const OPEN_MS = 10_000;
/// Sockets that may fail in a row before they open, while tickets are given: then something in between does not pass them on.
const MOST_UNOPENED = 3;
/// Tickets that may be refused in a row.
const MOST_REFUSED = 2;

type Failure = { code: ErrorCode; message: string };

export class Connection {
  readonly #typed: Input;
  #state: State = { is: "connecting" };
  #socket: Socket | null = null;
  /// Grows with each try, so that what belongs to an earlier one is known.
  #turn = 0;
  #cancels: (() => void)[] = [];
  #tries = 0;
  #unopened = 0;
  #refused = 0;
  /// Whether this page has had the session that is known, and would lose it.
  #isOwner = false;
  /// Whether output was left out, so that the screen is to be drawn as a whole once it is seen.
  #isStale = false;
  /// Whether a question to the server has no answer yet.
  #isAsked = false;
  /// The size that the server knows of.
  #size: Size = { columns: 0, rows: 0 };

  constructor(
    readonly world: World,
    readonly viewer: Viewer,
    readonly keys: Keys,
  ) {
    this.#typed = new Input(
      (data) => {
        if (this.#state.is === "live") this.#socket?.send(input(data));
      },
      (run) => world.frame(run),
    );
  }

  get state(): State {
    return this.#state;
  }

  /// Tries at once.
  open(): void {
    this.#drop();
    if (this.#mayTry()) void this.#attempt();
    else this.#rest();
  }

  /// More came than can be shown: the screen has to be drawn anew. A page that nobody sees shows slowly, and keeps its connection:
  /// what comes is left out until it is seen.
  flooded(): void {
    if (this.#state.is === "live" && this.world.presence() === "hidden") this.#isStale = true;
    else this.open();
  }

  /// Leaves the session, which is kept for a while.
  close(): void {
    this.#drop();
  }

  /// Leaves the old session, and asks for a new one.
  renew(): void {
    this.#isOwner = false;
    this.keys.session = null;
    this.keys.name = null;
    this.#refused = 0;
    this.open();
  }

  /// Asks the tab that has the session now for it; a new one where there is none.
  async takeBack(): Promise<void> {
    this.#drop();
    this.#tell({ is: "connecting" });
    const turn = this.#turn;
    const name = this.keys.name;
    const key = name === null ? null : await this.world.elsewhere(name);
    if (turn !== this.#turn) return;
    this.#isOwner = false;
    this.keys.session = key;
    this.open();
  }

  /// Shows this token from now on.
  authorize(token: string): void {
    this.keys.token = token;
    this.open();
  }

  /// False where it was too much, and some of it is lost.
  type(data: string): boolean {
    return this.#state.is !== "live" || this.#typed.type(data);
  }

  resized(): void {
    const size = this.viewer.size();
    if (this.#state.is !== "live" || (size.columns === this.#size.columns && size.rows === this.#size.rows)) return;
    this.#size = size;
    this.#socket?.send(resize(size));
  }

  /// The browser went on or off line, or the page came or went.
  presenceChanged(): void {
    const isHere = this.world.presence() === "here";
    const { is } = this.#state;
    if (is === "live" && isHere) {
      if (this.#isStale) this.open();
      else this.#check(CHECK_MS);
    } else if (is === "paused" || is === "waiting") {
      if (isHere) this.open();
      else if (!this.#mayTry()) this.#rest();
      else if (is === "paused") this.#wait("the connection was lost");
    }
  }

  /// Where nobody looks a session is gone on with that would be lost; none is begun, and none is taken from another tab.
  #mayTry(): boolean {
    const presence = this.world.presence();
    return presence === "here" || (presence === "hidden" && this.#isOwner && this.keys.session !== null);
  }

  #tell(state: State): void {
    this.#state = state;
    this.viewer.told(state);
  }

  #drop(): void {
    this.#turn += 1;
    for (const cancel of this.#cancels.splice(0)) cancel();
    this.#typed.clear();
    this.#isStale = false;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #later(run: () => void, ms: number): void {
    this.#cancels.push(this.world.timer(run, ms));
  }

  #rest(): void {
    this.#drop();
    this.#tell({ is: "paused", why: this.world.presence() === "offline" ? "offline" : "hidden" });
  }

  /// A session that is known is gone on with. After a socket that did not even open a ticket is asked for first all the same:
  /// the answer says why. What is shown in place of a terminal stays until there is one, where nobody asked.
  async #attempt(isAsked = true): Promise<void> {
    if (isAsked) this.#tell({ is: "connecting" });
    const known = this.keys.session;
    if (known !== null && this.#unopened === 0) {
      this.#connect({ session: { reconnect: known } });
      return;
    }
    const turn = this.#turn;
    const answer = await this.world.ticket(this.keys.token);
    if (turn === this.#turn) this.#answered(answer, known);
  }

  #answered(answer: TicketAnswer, known: string | null): void {
    switch (answer.is) {
      case "given":
        this.#connect(known === null ? { ticket: answer.ticket } : { session: { reconnect: known } });
        break;
      case "token":
        this.keys.token = null;
        this.#settle({ is: "token", wrong: answer.wrong });
        break;
      case "none":
        this.#settle({ is: "none", reason: answer.reason });
        break;
      case "later":
        this.#lost(answer.reason);
    }
  }

  #connect(shown: Shown): void {
    const turn = this.#turn;
    const mine = () => turn === this.#turn;
    let isOpen = false;
    this.#socket = this.world.socket({
      opened: () => {
        if (!mine()) return;
        isOpen = true;
        this.#unopened = 0;
        this.#size = this.viewer.size();
        this.#socket?.send(hello(shown, this.#size));
      },
      text: (data) => {
        if (mine()) this.#heard(data);
      },
      bytes: (data) => {
        if (!mine()) return;
        this.#isAsked = false;
        if (!this.#isStale) this.viewer.output(data);
      },
      closed: (code) => {
        if (mine()) this.#closed(code, isOpen);
      },
    });
    this.#later(() => this.#closed(0, isOpen), OPEN_MS);
  }

  #heard(data: string): void {
    this.#isAsked = false;
    const said = parse(data);
    switch (said?.type) {
      case "ready":
        this.#ready(said);
        break;
      case "notice":
        this.viewer.notice(said.code, said.message);
        break;
      case "ended":
        this.keys.session = null;
        if (said.reason === "shutdown") this.#lost(said.message);
        else this.#settle({ is: "ended", message: said.message });
        break;
      case "error":
        this.#failed(said);
    }
  }

  #ready({ reconnect, readOnly, resumed }: Ready): void {
    for (const cancel of this.#cancels.splice(0)) cancel();
    this.keys.session = reconnect;
    if (!resumed || this.keys.name === null) this.keys.name = this.world.name();
    this.#isOwner = true;
    this.#tries = 0;
    this.#refused = 0;
    this.#isAsked = false;
    this.viewer.fresh();
    this.#tell({ is: "live", readOnly });
    // The screen may have been shown, and measured, since the first message.
    this.resized();
    this.#later(() => this.#check(PING_MS), PING_MS);
  }

  /// Asks whether the server is there, and gives up the connection where the last question has no answer.
  #check(patience: number): void {
    for (const cancel of this.#cancels.splice(0)) cancel();
    this.#isAsked = true;
    this.#socket?.send(ping());
    this.#later(() => {
      if (this.#isAsked) this.#lost("the server does not answer");
      else this.#later(() => this.#check(PING_MS), PING_MS);
    }, patience);
  }

  /// Closed without a word, or not open in time (code 0).
  #closed(code: number, wasOpen: boolean): void {
    const failure = ofClose(code);
    if (failure) this.#failed({ code: failure, message: WORDS[failure] });
    else if (code === 1000) {
      this.keys.session = null;
      this.#settle({ is: "ended", message: "the session is over" });
    } else if (wasOpen) this.#lost("the connection was lost");
    else this.#neverOpened();
  }

  #neverOpened(): void {
    this.#unopened += 1;
    // The first of them may have been without a ticket, and says nothing.
    if (this.#unopened <= MOST_UNOPENED) {
      this.#lost("the connection cannot be opened");
      return;
    }
    const reason =
      "The web role gives tickets, but its WebSocket (/ws) cannot be reached from here. A proxy in between may not pass it on. It is tried again now and then.";
    this.#settle({ is: "none", reason });
    this.#knock();
  }

  /// Tries now and then: browsers do not tell a proxy in between from a role that is too busy.
  #knock(): void {
    const wait = pause(this.#unopened - MOST_UNOPENED, this.world.random(), HOPELESS);
    this.#later(() => {
      if (this.world.presence() === "here") void this.#attempt(false);
      else this.#knock();
    }, wait);
  }

  #failed({ code, message }: Failure): void {
    switch (code) {
      case "taken_over":
        this.keys.session = null;
        this.#settle({ is: "taken" });
        break;
      case "unknown_session":
        this.keys.session = null;
        this.open();
        break;
      case "unauthorized":
        this.#refused += 1;
        this.keys.session = null;
        if (this.#refused < MOST_REFUSED) this.open();
        else this.#lost(message);
        break;
      case "too_many_attempts":
        // What is right passes all the same: the key, or the ticket, is none.
        this.keys.session = null;
        this.#lost(message);
        break;
      case "too_many_sessions":
        this.#settle({ is: "full", message });
        break;
      case "unavailable":
        this.#settle({ is: "none", reason: message });
        break;
      default:
        this.#lost(message);
    }
  }

  /// Stays so until somebody does something.
  #settle(state: State): void {
    this.#drop();
    this.#tries = 0;
    this.#tell(state);
  }

  /// Tries again after a while.
  #lost(why: string): void {
    this.#drop();
    if (this.#mayTry()) this.#wait(why);
    else this.#rest();
  }

  #wait(why: string): void {
    this.#drop();
    this.#tries += 1;
    const pace = this.world.presence() === "here" ? QUICK : UNSEEN;
    const wait = pause(this.#tries, this.world.random(), pace);
    this.#tell({ is: "waiting", until: this.world.now() + wait, why });
    this.#later(() => this.open(), wait);
  }
}

const WORDS: Record<ErrorCode, string> = {
  malformed: "a message was not understood",
  unsupported: "a message was not understood",
  too_large: "a message was too large",
  hello_expected: "the first message came too late",
  unauthorized: "the ticket was not taken",
  unknown_session: "the session is over",
  too_many_sessions: "there are as many sessions as there may be",
  too_many_attempts: "too many attempts",
  taken_over: "the session goes on elsewhere",
  unavailable: "no terminal can be had now",
  silent: "the server heard nothing from this page",
};
