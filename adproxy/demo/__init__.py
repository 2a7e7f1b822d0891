"""The built-in demo: a small newspaper (`site`), rules for it (`rules/demo.yaml`), and a way to serve both (`run`)."""
