mod machine;
mod paths;
use machine::*;
use std::time::Duration;
fn main() -> anyhow::Result<()> {
    let k: std::path::PathBuf = std::env::args().nth(1).unwrap().into();
    let t = std::time::Instant::now();
    let a = acceleration::find(&k)?;
    println!("{a:?} {:?}", t.elapsed());
    let mut m = Machine::new("t", k, Root::None, a.0);
    m.verbose = true; m.forwards = vec![2375, 80];
    let (g, l, n) = m.boot(|g| g.wait_for_line("x", Duration::from_secs(20), |l| l.contains("Run /bin/init as")))?;
    println!("{:?} {n:?} {:?}", l.text, g.port(80));
    println!("{:?} {:?}", g.wait_exit(Duration::from_secs(3)), t.elapsed());
    Ok(())
}
