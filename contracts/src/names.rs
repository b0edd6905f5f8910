//! Every name that two parts of the system must agree on.

/// Exchanges and queues of the event spine.
pub mod spine {
    /// Direct exchange of work messages.
    pub const WORK_EXCHANGE: &str = "odd.work";
    /// Topic exchange of lifecycle events.
    pub const EVENTS_EXCHANGE: &str = "odd.events";
    /// Queue of work messages: one `job.created` envelope each. Never bound to [`EVENTS_EXCHANGE`].
    pub const JOBS_CREATED: &str = "jobs.created";
    /// Queue of lifecycle events, bound to [`EVENTS_EXCHANGE`] with [`EVENTS_BINDING`].
    pub const JOBS_EVENTS: &str = "jobs.events";
    /// Queue of messages that no consumer can take.
    pub const JOBS_DEAD_LETTER: &str = "jobs.dead-letter";
    /// Binding of [`JOBS_EVENTS`].
    pub const EVENTS_BINDING: &str = "job.#";
    /// Routing key of a request to cancel a job, on [`WORK_EXCHANGE`].
    pub const JOBS_CONTROL: &str = "jobs.control";

    /// Every durable queue.
    pub const QUEUES: [&str; 4] = [JOBS_CREATED, JOBS_EVENTS, JOBS_DEAD_LETTER, JOBS_CONTROL];

    /// Media type of a message with one envelope.
    pub const JSON: &str = "application/json";
    /// Media type of a message with one or more envelopes, one a line.
    pub const NDJSON: &str = "application/x-ndjson";
    /// Most envelopes in one message.
    pub const MAX_ENVELOPES: usize = 512;
    /// Most bytes of envelopes in one message (a single larger envelope travels alone).
    pub const MAX_BATCH_BYTES: usize = 256 * 1024;

    /// Header of a dead letter: why it is one ([`reason`]).
    pub const HEADER_REASON: &str = "x-odd-reason";
    /// Header of a dead letter: what exactly was wrong.
    pub const HEADER_DETAIL: &str = "x-odd-detail";
    /// Header of a dead letter: the queue it was taken from.
    pub const HEADER_QUEUE: &str = "x-odd-queue";

    /// Reasons for dead-lettering.
    pub mod reason {
        /// The message is no JSON.
        pub const NOT_JSON: &str = "not_json";
        /// The message is no event envelope, or not of a type that belongs on its queue.
        pub const INVALID_ENVELOPE: &str = "invalid_envelope";
        /// The envelope carries no valid job.
        pub const INVALID_JOB: &str = "invalid_job";
        /// Another payload was stored under the job's id before.
        pub const ID_CONFLICT: &str = "id_conflict";
        /// The store refuses the data itself.
        pub const STORE_REFUSED: &str = "store_refused";

        /// Every reason.
        pub const ALL: [&str; 5] = [
            NOT_JSON,
            INVALID_ENVELOPE,
            INVALID_JOB,
            ID_CONFLICT,
            STORE_REFUSED,
        ];
    }
}

/// Names of HTTP headers.
pub mod header {
    /// Shared by everything that follows from one request; taken from the client or made.
    pub const CORRELATION_ID: &str = "x-correlation-id";
    /// W3C trace context.
    pub const TRACEPARENT: &str = "traceparent";
}

/// Names of metrics. Each carries the label `service`; none carries a job id.
pub mod metric {
    /// Submissions received, by type.
    pub const GATEWAY_SUBMITTED: &str = "gateway_jobs_submitted_total";
    /// Submissions answered with 202.
    pub const GATEWAY_ACCEPTED: &str = "gateway_jobs_accepted_total";
    /// Submissions refused, by problem code.
    pub const GATEWAY_REJECTED: &str = "gateway_jobs_rejected_total";
    /// `job.created` events that the gateway left to the processor.
    pub const GATEWAY_EVENTS_DROPPED: &str = "gateway_created_events_dropped_total";
    /// Seconds that the spine took to confirm what was published together.
    pub const GATEWAY_CONFIRM_SECONDS: &str = "gateway_confirm_seconds";
    /// Executions that ended, whatever their outcome.
    pub const PROCESSOR_PROCESSED: &str = "processor_jobs_processed_total";
    /// Jobs that ended COMPLETED.
    pub const PROCESSOR_COMPLETED: &str = "processor_jobs_completed_total";
    /// Jobs that ended FAILED.
    pub const PROCESSOR_FAILED: &str = "processor_jobs_failed_total";
    /// Jobs that ended CANCELLED.
    pub const PROCESSOR_CANCELLED: &str = "processor_jobs_cancelled_total";
    /// Attempts that failed and are followed by another.
    pub const PROCESSOR_RETRIED: &str = "processor_jobs_retried_total";
    /// Work messages that were no valid job.
    pub const PROCESSOR_VALIDATION_FAILED: &str = "processor_jobs_validation_failed_total";
    /// Seconds that one execution took.
    pub const PROCESSOR_SECONDS: &str = "processor_job_processing_seconds";
    /// Executions running now.
    pub const PROCESSOR_RUNNING: &str = "processor_jobs_running";
    /// Executions that may run at the same time.
    pub const PROCESSOR_SLOTS: &str = "processor_slots";
    /// Seconds from when a job could run (its publication, or the instant it was delayed to) to the start of its first
    /// execution.
    pub const PROCESSOR_QUEUE_WAIT_SECONDS: &str = "processor_job_queue_wait_seconds";
    /// Seconds from when a job could run to its end, retries included.
    pub const PROCESSOR_LATENCY_SECONDS: &str = "processor_job_latency_seconds";
    /// Events written to the event log, by event type.
    pub const ENGINE_RECORDED: &str = "metrics_engine_events_recorded_total";
    /// Events that were in the event log already.
    pub const ENGINE_DUPLICATES: &str = "metrics_engine_events_duplicate_total";
    /// Messages put aside, by reason.
    pub const DEAD_LETTERED: &str = "odd_messages_dead_lettered_total";
    /// 1 while the role is ready, as `/readyz` tells, else 0.
    pub const READY: &str = "odd_ready";
    /// 1 while a dependency that the role requires answers, else 0, by `dependency`.
    pub const DEPENDENCY_UP: &str = "odd_dependency_up";
    /// Seconds that a dependency took to answer whether it is well, by `dependency`.
    pub const DEPENDENCY_SECONDS: &str = "odd_dependency_answer_seconds";
    /// 1, with the `version` of the program.
    pub const BUILD_INFO: &str = "odd_build_info";
    /// Subscribers of the live stream.
    pub const READ_MODEL_STREAMS: &str = "read_model_streams";
    /// Requests that the web role passed on, by role behind it and class of the answer's status.
    pub const WEB_PASSED: &str = "web_requests_passed_total";
    /// Seconds until the head of the answer to a request that was passed on.
    pub const WEB_SECONDS: &str = "web_request_passed_seconds";
    /// Answers that the web role is passing on now.
    pub const WEB_OPEN: &str = "web_answers_open";
    /// Sessions of the web terminal that are open now, with or without a connection.
    pub const WEB_TERMINAL_SESSIONS: &str = "web_terminal_sessions";
    /// Sessions of the web terminal that were started.
    pub const WEB_TERMINAL_STARTED: &str = "web_terminal_sessions_started_total";
    /// Sessions of the web terminal that ended, by reason.
    pub const WEB_TERMINAL_ENDED: &str = "web_terminal_sessions_ended_total";
    /// Connections and tickets of the web terminal that were refused, by reason.
    pub const WEB_TERMINAL_REFUSED: &str = "web_terminal_refused_total";
    /// Bytes of the web terminal, by direction: `in` to programs, `out` to clients.
    pub const WEB_TERMINAL_BYTES: &str = "web_terminal_bytes_total";
    /// Bytes of the web terminal that were dropped: `in` was filtered or not taken, `out` was replaced by the whole screen.
    pub const WEB_TERMINAL_DROPPED: &str = "web_terminal_dropped_bytes_total";
    /// Seconds from a key of the web terminal to the first output after it.
    pub const WEB_TERMINAL_ECHO_SECONDS: &str = "web_terminal_echo_seconds";

    /// Value of the label `type` beyond [`MAX_TYPES`] different types.
    pub const OTHER_TYPE: &str = "other";
    /// Most different values of the label `type`.
    pub const MAX_TYPES: usize = 100;
}

/// Names of environment variables.
pub mod env {
    /// Directory of everything that `odd` keeps on this machine.
    pub const HOME: &str = "ODD_HOME";
    /// Name of the instance that commands speak to.
    pub const INSTANCE: &str = "ODD_INSTANCE";
    /// Name of the engine that the instance runs on, as the read-model shows it.
    pub const ENGINE: &str = "ODD_ENGINE";
    /// Added to every published port.
    pub const PORT_OFFSET: &str = "ODD_PORT_OFFSET";
    /// Address that roles listen on.
    pub const LISTEN_ADDRESS: &str = "ODD_LISTEN_ADDRESS";
    /// Path of the SQLite file of the embedded adapters.
    pub const SQLITE_PATH: &str = "ODD_SQLITE_PATH";
    /// `normal` (survives a killed process) or `full` (survives a power cut).
    pub const SQLITE_SYNCHRONOUS: &str = "ODD_SQLITE_SYNCHRONOUS";
    /// Address of RabbitMQ, such as `amqp://user:password@host:5672/vhost`. With it a role runs on servers, not on SQLite.
    pub const AMQP_URL: &str = "ODD_AMQP_URL";
    /// Address of RabbitMQ's management interface, which tells what consumers hold unacknowledged.
    pub const AMQP_MANAGEMENT_URL: &str = "ODD_AMQP_MANAGEMENT_URL";
    /// Address of PostgreSQL with the job store's database, such as `postgres://user:password@host:5432/odd`.
    pub const POSTGRES_URL: &str = "ODD_POSTGRES_URL";
    /// Address of MongoDB with the event log's database, such as `mongodb://user:password@host:27017/odd?authSource=admin`.
    pub const MONGO_URL: &str = "ODD_MONGO_URL";
    /// Address of Redis with the number of its database, such as `redis://:password@host:6379/0`.
    pub const REDIS_URL: &str = "ODD_REDIS_URL";
    /// What the names of all keys in Redis begin with.
    pub const REDIS_PREFIX: &str = "ODD_REDIS_PREFIX";
    /// Days that events are kept in MongoDB; for ever where absent.
    pub const EVENT_RETENTION_DAYS: &str = "ODD_EVENT_RETENTION_DAYS";
    /// Filter of log lines, such as `info` or `odd_processor=debug`.
    pub const LOG: &str = "ODD_LOG";
    /// Origins that browsers may call the read-model and the gateway from, separated by commas.
    pub const CORS_ORIGINS: &str = "ODD_CORS_ORIGINS";
    /// Seconds that the gateway waits for the spine's confirm.
    pub const GATEWAY_CONFIRM_SECONDS: &str = "ODD_GATEWAY_CONFIRM_SECONDS";
    /// Accepted ids that the gateway remembers, to recognise a repetition.
    pub const GATEWAY_WINDOW: &str = "ODD_GATEWAY_WINDOW";
    /// Messages of the gateway that may wait for the spine's confirm at the same time.
    pub const GATEWAY_MAX_WAITING: &str = "ODD_GATEWAY_MAX_WAITING";
    /// Jobs that a processor executes at the same time.
    pub const PROCESSOR_SLOTS: &str = "ODD_PROCESSOR_SLOTS";
    /// Seconds after which a job whose processor is lost is taken by another.
    pub const PROCESSOR_LEASE_SECONDS: &str = "ODD_PROCESSOR_LEASE_SECONDS";
    /// Events that the read-model keeps for each slow client of its live stream.
    pub const READ_MODEL_STREAM_EVENTS: &str = "ODD_READ_MODEL_STREAM_EVENTS";
    /// Address of the gateway, for clients.
    pub const GATEWAY_URL: &str = "ODD_GATEWAY_URL";
    /// Address of the read-model, for clients.
    pub const READ_MODEL_URL: &str = "ODD_READ_MODEL_URL";
    /// Address of the processor, for the read-model, which watches its health.
    pub const PROCESSOR_URL: &str = "ODD_PROCESSOR_URL";
    /// Address of the metrics-engine, for the read-model, which watches its health.
    pub const METRICS_ENGINE_URL: &str = "ODD_METRICS_ENGINE_URL";
    /// Address of the web role, for the read-model, which watches its health.
    pub const WEB_URL: &str = "ODD_WEB_URL";
    /// Address of Alertmanager, whose active alerts the read-model and the gateway show.
    pub const ALERTMANAGER_URL: &str = "ODD_ALERTMANAGER_URL";
    /// Address of Prometheus, whose targets the gateway shows.
    pub const PROMETHEUS_URL: &str = "ODD_PROMETHEUS_URL";
    /// Bearer token that Alertmanager shows to the read-model with each notification. A secret.
    pub const ALERT_WEBHOOK_TOKEN: &str = "ODD_ALERT_WEBHOOK_TOKEN";
    /// Hosts, besides those of the loopback, that the web role answers to, and whose pages are its own, separated by commas: `name`
    /// or `name:port`.
    pub const WEB_ALLOWED_HOSTS: &str = "ODD_WEB_ALLOWED_HOSTS";
    /// Token that the web terminal asks of everybody. A secret.
    pub const WEB_TOKEN: &str = "ODD_WEB_TOKEN";
    /// The web terminal: `on`, `read-only` or `off`.
    pub const WEB_TERMINAL: &str = "ODD_WEB_TERMINAL";
    /// Most sessions of the web terminal.
    pub const WEB_TERMINAL_SESSIONS: &str = "ODD_WEB_TERMINAL_SESSIONS";
    /// Most sessions of the web terminal of one client address.
    pub const WEB_TERMINAL_SESSIONS_PER_ADDRESS: &str = "ODD_WEB_TERMINAL_SESSIONS_PER_ADDRESS";
    /// Seconds that a session of the web terminal is kept without a connection.
    pub const WEB_TERMINAL_GRACE_SECONDS: &str = "ODD_WEB_TERMINAL_GRACE_SECONDS";
    /// Seconds without a key after which a session of the web terminal ends.
    pub const WEB_TERMINAL_IDLE_SECONDS: &str = "ODD_WEB_TERMINAL_IDLE_SECONDS";
    /// Seconds that a role may take to stop.
    pub const SHUTDOWN_SECONDS: &str = "ODD_SHUTDOWN_SECONDS";
}
