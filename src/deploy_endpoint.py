from src.helpers.configuration import script
@script("deploy_endpoint")
def main(config): pass
