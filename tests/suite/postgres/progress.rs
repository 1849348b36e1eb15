//! What is told of long work: on a terminal a bar, elsewhere nothing, and never on standard output.

use crate::postgres::scene::Scene;
use crate::support::terminal::{in_a_terminal, screen};
use crate::support::world::CUTTER;

#[test]
fn a_long_table_has_a_bar_on_a_terminal_and_none_elsewhere() {
    let scene = Scene::new();
    scene.server.execute(
        "CREATE TABLE public.long_table (id int PRIMARY KEY, body text NOT NULL);
         INSERT INTO public.long_table SELECT i, repeat('x', 900) FROM generate_series(1, 60000) i;
         GRANT SELECT ON public.long_table TO cutter_observe",
    );
    let evidence = "[evidence]\nworkers = 1\ncounter_lag_seconds = 0\n[evidence.relations.\"public.long_table\"]\n";
    scene.write("cutter.toml", scene.config("cutter_observe", evidence));
    let arguments = ["evidence", "capture", "--format", "json", "--output", "a.json"];
    let silent = scene.run(&arguments);
    assert_eq!((silent.stdout.as_slice(), silent.stderr.as_slice()), (&b""[..], &b""[..]));
    let line = format!("{} {}", CUTTER, arguments.join(" "));
    let shown = in_a_terminal(scene.folder(), &line);
    assert!(shown.contains("relation:public.long_table") && shown.contains('%'), "{shown:?}");
    assert_eq!(screen(&shown), "");
}
