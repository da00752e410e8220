"""Pickling of moto's backends."""

from embedded_aws.state.pickling import backend, contents, restore


def test_attributes_that_an_older_state_lacks_have_the_values_of_a_new_backend():
    address = ("moto.sqs.models", "sqs_backends", "123456789012", "eu-south-2")
    found = backend(*address)
    attributes = contents(found) | {"of_the_state": 1}
    del attributes["queues"]
    restore(address, attributes)
    assert (found.queues, found.of_the_state) == ({}, 1)
