"""`python -m embedded_aws`: the command `embedded-aws`."""

from embedded_aws.cli import main

if __name__ == "__main__":
    main()
