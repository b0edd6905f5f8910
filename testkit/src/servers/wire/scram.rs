//! The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), for passwords of plain ASCII.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// Block of SHA-256 in bytes, which HMAC needs (RFC 2104).
const BLOCK: usize = 64;

/// A conversation that has begun.
pub(crate) struct Scram<'a> {
    password: &'a str,
    nonce: String,
    first: String,
}

impl<'a> Scram<'a> {
    pub(crate) fn new(user: &str, password: &'a str, nonce: &str) -> Self {
        Self {
            password,
            nonce: nonce.to_owned(),
            first: format!("n={user},r={nonce}"),
        }
    }

    /// The first message: no channel binding.
    pub(crate) fn first(&self) -> String {
        format!("n,,{}", self.first)
    }

    /// The answer to the server's first message. None where that is none.
    pub(crate) fn answer(&self, challenge: &str) -> Option<String> {
        let fields: HashMap<&str, &str> = challenge
            .split(',')
            .filter_map(|part| part.split_once('='))
            .collect();
        let nonce = fields.get("r").filter(|nonce| nonce.starts_with(&self.nonce))?;
        let salt = STANDARD.decode(fields.get("s")?).ok()?;
        let iterations: u32 = fields.get("i")?.parse().ok()?;
        let key = hmac(
            &salted(self.password.as_bytes(), &salt, iterations),
            b"Client Key",
        );
        let bare = format!("c=biws,r={nonce}");
        let signed = format!("{},{challenge},{bare}", self.first);
        let mut proof = hmac(&Sha256::digest(key), signed.as_bytes());
        for (byte, key) in proof.iter_mut().zip(key) {
            *byte ^= key;
        }
        Some(format!("{bare},p={}", STANDARD.encode(proof)))
    }
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    // Keys here are no longer than a block.
    let pad = |with: u8| {
        let mut block = [with; BLOCK];
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        block
    };
    let inner = Sha256::new()
        .chain_update(pad(0x36))
        .chain_update(message)
        .finalize();
    let outer = Sha256::new()
        .chain_update(pad(0x5c))
        .chain_update(inner)
        .finalize();
    outer.into()
}

/// `Hi` of RFC 5802: PBKDF2 with one block of output.
fn salted(password: &[u8], salt: &[u8], iterations: u32) -> [u8; 32] {
    let mut last = hmac(password, &[salt, &[0, 0, 0, 1]].concat());
    let mut result = last;
    for _ in 1..iterations {
        last = hmac(password, &last);
        for (byte, last) in result.iter_mut().zip(last) {
            *byte ^= last;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677, section 3.
    #[test]
    fn the_proof_is_that_of_the_specification() {
        let scram = Scram::new("user", "pencil", "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let challenge = format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        let expected = format!("c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        assert_eq!(scram.answer(&challenge), Some(expected));
    }

    #[test]
    fn a_challenge_to_somebody_else_is_not_answered() {
        let scram = Scram::new("user", "pencil", "mine");
        assert_eq!(scram.answer("r=yours,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"), None);
    }
}
