"""Creates a Docker Space and uploads this folder to it."""

from huggingface_hub import HfApi

api = HfApi()
repo = api.create_repo("bob/my-demo", repo_type="space", space_sdk="docker", exist_ok=True)
api.add_space_variable(repo.repo_id, "GREETING", "Ahoy")
api.upload_folder(repo_id=repo.repo_id, repo_type="space", folder_path=".")
print(repo)
