"""The sections of the report: what each shows, from the inputs. Their templates have the same names."""
