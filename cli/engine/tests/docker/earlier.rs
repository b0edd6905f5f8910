//! Images that were built from an earlier state of a program: which go when it is built again, and which stay.

use crate::workshop::{Workshop, tiny};

/// A name of an image of roles that no other test has.
fn name(of: &str) -> String {
    format!("odd-roles:t-{of}-{}", std::process::id())
}

#[tokio::test]
async fn what_nothing_uses_goes_and_what_a_container_uses_goes_when_that_is_gone() {
    let shop = Workshop::new().await;
    let program = shop.program().display().to_string();
    let (unused, used) = (name("unused"), name("used"));
    shop.load_old(&unused, &program).await;
    shop.load_old(&used, &program).await;
    // It need not run: an `up` may be about to start it.
    let container = shop.create(&used).await;

    shop.write_program(&tiny(4));
    let first = shop.build().await;
    assert!(!shop.has(&unused).await, "{unused} stayed");
    assert!(
        shop.has(&used).await,
        "{used} went, and a container is made of it"
    );
    assert!(shop.has(&first).await);

    shop.remove(&container).await;
    shop.write_program(&tiny(5));
    let second = shop.build().await;
    assert!(!shop.has(&used).await, "{used} stayed");
    // Another command may be about to make containers of the first.
    assert!(shop.has(&first).await, "{first} went, and is young");
    assert!(shop.has(&second).await);
}

#[tokio::test]
async fn what_belongs_to_others_stays() {
    let shop = Workshop::new().await;
    let program = shop.program().display().to_string();
    let of_another_program = name("another");
    let of_another_name = format!("odd-roles-mine:t-{}", std::process::id());
    let twice = (name("twice"), format!("t-b/kept:{}", std::process::id()));
    shop.load_old(&of_another_program, &format!("{program}-2")).await;
    shop.load_old(&of_another_name, &program).await;
    shop.load_old(&twice.0, &program).await;
    shop.tag(&twice.0, &twice.1).await;

    shop.write_program(&tiny(6));
    shop.build().await;
    for stays in [&of_another_program, &of_another_name, &twice.1] {
        assert!(shop.has(stays).await, "{stays} went");
    }
    assert!(!shop.has(&twice.0).await, "only our own name of it goes");
}
