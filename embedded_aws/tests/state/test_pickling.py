"""State as it is put back into moto's backends."""

from embedded_aws.state.pickling import backend, contents, restore


def test_what_the_state_of_an_earlier_version_lacks_is_as_in_a_new_backend():
    address = ("moto.sqs.models", "sqs_backends", "123456789012", "eu-south-2")
    found = backend(*address)
    attributes = contents(found) | {"of_the_state": 1}
    del attributes["queues"]
    restore(address, attributes)
    assert (found.queues, found.of_the_state) == ({}, 1)
