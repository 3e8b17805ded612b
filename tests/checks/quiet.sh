#!/usr/bin/env bash
# The library never prints, exits, aborts or reads the environment.
cd "$1/include" || exit 1
! grep -rnE '\b(std::cout|std::cerr|[^n]printf *\(|abort *\(|std::exit|getenv *\()' . | grep -v '^[^:]*:[0-9]*: *//'
