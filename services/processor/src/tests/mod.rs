//! A whole processor over RabbitMQ and PostgreSQL.

mod bed;
mod gated;
mod gates;
mod outages;
mod outcomes;
mod poison;
mod published;
mod recovery;
