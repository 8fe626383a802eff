# Everything a person types here.  Nothing but `make engines` needs root, and only that one installs anything outside of .venv.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: soak help install demo test engines bench bench-rehearsal bench-balancers bench-predict bench-runtime bench-election \
	bench-watch bench-aralia reference lint clean

help:  ## what there is
	@echo "make ..."
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/  \1	\2/p' $(firstword $(MAKEFILE_LIST))

install:  ## holdfast and the real programs into .venv; then .venv/bin/holdfast
	@tools/venv.sh engines
	@echo ".venv/bin/holdfast is ready; for the bare word: PATH=$(CURDIR)/.venv/bin:\$$PATH"

demo:  ## run the example shop, break it five ways, show what its clients saw
	@tools/venv.sh engines,shop
	@.venv/bin/holdfast drill examples/shop $(ARGS)

test:  ## all tests; PYTEST_ARGS="-k shop"; HOLDFAST_REQUIRE_ENGINES=1 turns skips for want of a program into failures
	@tools/venv.sh engines,shop,test
	@.venv/bin/python -m pytest $(PYTEST_ARGS)

soak:  ## the long proofs, which `make test` leaves out; goes on where it stopped; ARGS="--only seeds --for 10min"
	@tools/venv.sh engines,shop,test
	@.venv/bin/python -m tools.soak $(ARGS)

engines:  ## install HAProxy, nginx, keepalived, etcd and PostgreSQL of Debian or Ubuntu (root or sudo); ARGS=--dry-run shows it only, --tests adds Redis for the tests
	@tools/engines.sh $(ARGS)

bench: bench-rehearsal bench-balancers bench-predict bench-runtime bench-election bench-watch  ## measure all goals on this machine; each of them also alone

bench-rehearsal:  ## commands, drills and load; ARGS="--repeat 5 --only drills"
	@tools/venv.sh engines,shop
	@.venv/bin/python -m tools.bench $(ARGS)

bench-predict:  ## fault trees, samples, years by chance; PREDICT_ARGS="--repeat 9"
	@tools/venv.sh engines,predict
	@.venv/bin/python -m tools.bench_predict $(PREDICT_ARGS)

bench-aralia:  ## the Aralia set of fault trees; HOLDFAST_ARALIA=FOLDER with the set's files; ARALIA_ARGS="edf9204 jbd9601"
	@tools/venv.sh engines,predict
	@.venv/bin/python -m tools.bench_aralia $(ARALIA_ARGS)

bench-balancers:  ## each rendered balancer beside the plainest config of the same program; needs wrk; BALANCERS_ARGS="--rounds 5"
	@tools/venv.sh engines,shop
	@.venv/bin/python -m tools.bench_balancers $(BALANCERS_ARGS)

bench-runtime:  ## holdfast.runtime beside its pinned peers, as ratios to a bare call; RUNTIME_ARGS="--rounds 5"
	@tools/venv.sh bench
	@.venv/bin/python -m tools.bench_breaker $(RUNTIME_ARGS)
	@.venv/bin/python -m tools.bench_policies $(RUNTIME_ARGS)
	@.venv/bin/python -m tools.bench_health $(RUNTIME_ARGS)

bench-election:  ## how soon the next one leads, after a clean exit and after a crash; ELECTION_ARGS="--crashes 3"
	@tools/venv.sh bench
	@.venv/bin/python -m tools.bench_election $(ELECTION_ARGS)

reference:  ## write docs/topology.md and the JSON Schemas anew from the models
	@tools/venv.sh engines
	@.venv/bin/python -m tools.reference
	@.venv/bin/holdfast check --schema >docs/topology.schema.json
	@.venv/bin/holdfast report --schema >docs/report.schema.json
	@.venv/bin/holdfast report --schema baseline >docs/baseline.schema.json

bench-watch:  ## targets polled per second by `holdfast watch`, beside blackbox_exporter; WATCH_ARGS="--rounds 5"
	@tools/venv.sh engines
	@.venv/bin/python -m tools.bench_watch $(WATCH_ARGS)

lint:  ## style of Python and shell
	@tools/venv.sh test
	@.venv/bin/ruff check src tests tools examples
	@for script in tools/*.sh .ci/run; do bash -n $$script || exit 1; done

clean:  ## remove what make made; records of runs stay
	rm -rf .venv build dist src/*.egg-info .pytest_cache .ruff_cache .hypothesis
	find src tests tools examples -name __pycache__ -type d -prune -exec rm -rf {} +
