"""The ML Test Score from records: evidence in, points out. Nothing here reads a store or a clock.

Source: Breck, Cai, Nielsen, Salib, Sculley (2017), The ML Test Score: A Rubric for ML Production Readiness and
Technical Debt Reduction, IEEE Big Data. The names of the tests are in our own words.
"""
